// The training rules of a configuration on a model and its files: what they do to the weights, and
// that a run which is stopped and resumed does the same.

import Checkpoints
import NeuralNetworks
import Configuration
import Learning
import Tensors
import LearningTestSupport
import Testing

@Suite struct TrainingRuleTests {
    private static let layers = """
        model.layers=[{type:'flatten'},{type:'linear',name:'hidden',outputFeatures:6},{type:'tanh'},\
        {type:'linear',name:'output',outputFeatures:10}]
        """

    private static let rules = [
        "optimizer={type:'rmsprop',learningRate:0.01,momentum:0.9,clipping:{globalNorm:0.1}}",
        "optimizer={type:'rmsprop',learningRate:0.01,centered:true,weightDecay:0.1}",
        "optimizer={type:'adagrad',learningRate:0.1,rateDecay:0.1,clipping:{value:0.01}}",
        "optimizer={type:'adadelta',learningRate:1,weightDecay:0.1}",
        "optimizer={type:'adamw',learningRate:0.01,decayNormsAndBiases:false,"
            + "groups:[{match:'hidden',learningRateFactor:0.5,decayFactor:3}]}",
    ]

    @Test(
        arguments: rules,
        [
            ["schedule.type=oneCycle", "average={decay:0.9}"],
            [
                "schedule={type:'inverseSquareRoot',warmupSteps:3}",
                "model.loss={labelSmoothing:0.1,classWeights:[1,2,3,4,5,6,7,8,9,0.5]}",
            ],
        ])
    func aStoppedRunGoesOnAsIfItHadNot(rule: String, others: [String]) throws {
        let fixture = try RunFixture()
        let configuration = try fixture.configuration(
            [Self.layers, rule, "steps=9"] + others)
        let whole = try LocalRun(configuration)
        let begin = whole.model.weightsDigest
        try whole.train(to: 9)
        #expect(whole.model.weightsDigest != begin)

        let first = try LocalRun(configuration)
        try first.train(to: 4)
        let second = try LocalRun(configuration)
        try second.model.load(try first.model.files(), step: 4)
        #expect(second.model.weightsDigest == first.model.weightsDigest)
        try second.train(to: 9)
        #expect(second.model.weightsDigest == whole.model.weightsDigest)
        for (resumed, expected) in zip(second.model.replicatedState, whole.model.replicatedState) {
            #expect(resumed.scalars == expected.scalars)
        }
    }

    /// The engine's rules are compared with PyTorch's elsewhere; here, that a configuration gets
    /// the one it asks for with each option in its place.
    @Test func optionsReachTheEngine() throws {
        let fixture = try RunFixture()
        let cases: [(String, (Int) -> any Optimizer)] = [
            (
                "{type:'sgd',learningRate:0.1,momentum:0.9,nesterov:true,weightDecay:0.1}",
                { SGD(count: $0, momentum: 0.9, nesterov: true, weightDecay: 0.1) }
            ),
            (
                "{type:'adam',learningRate:0.1,beta1:0.8,beta2:0.9,epsilon:1e-4,weightDecay:0.1}",
                { Adam(count: $0, beta1: 0.8, beta2: 0.9, epsilon: 1e-4, weightDecay: 0.1) }
            ),
            (
                "{type:'adamw',learningRate:0.1,beta1:0.8,weightDecay:0.1}",
                { Adam(count: $0, beta1: 0.8, weightDecay: 0.1, decoupledDecay: true) }
            ),
            (
                "{type:'rmsprop',learningRate:0.1,alpha:0.8,epsilon:1e-4,momentum:0.5,centered:true}",
                { RMSProp(count: $0, alpha: 0.8, epsilon: 1e-4, momentum: 0.5, centered: true) }
            ),
            (
                "{type:'adagrad',learningRate:0.1,rateDecay:0.1,epsilon:1e-4,initialSum:0.5}",
                { Adagrad(count: $0, rateDecay: 0.1, epsilon: 1e-4, initialSum: 0.5) }
            ),
            (
                "{type:'adadelta',learningRate:0.1,rho:0.8,epsilon:1e-4,weightDecay:0.1}",
                { Adadelta(count: $0, rho: 0.8, epsilon: 1e-4, weightDecay: 0.1) }
            ),
        ]
        for (text, make) in cases {
            let run = try LocalRun(
                try fixture.configuration(Self.layers, "optimizer=\(text)", "steps=3"))
            let values = run.model.store.values
            let expected = values.copied()
            let rule = make(values.count)
            let gradients = values.copied()
            for step in 1...3 {
                for (rule, values) in [(run.model.updates[0].optimizer, values), (rule, expected)] {
                    rule.update(
                        values, gradients: gradients.pointer, gradientScale: 0.5,
                        learningRate: 0.1, step: step)
                }
            }
            #expect(values.scalars == expected.scalars, "\(text)")
        }
        let cycle = try LocalRun(
            try fixture.configuration(
                "schedule={type:'oneCycle',rise:0.2,startDivisor:10,endDivisor:100}", "steps=20")
        ).model.updates[0].schedule
        let root = try LocalRun(
            try fixture.configuration("schedule={type:'inverseSquareRoot',warmupSteps:4}")
        ).model.updates[0].schedule
        let shape = Schedule.Shape.oneCycle(rise: 0.2, startDivisor: 10, endDivisor: 100)
        let expected = Schedule(peak: 0.1, shape: shape, totalSteps: 20)
        for step in 0..<20 {
            #expect(cycle.learningRate(step: step) == expected.learningRate(step: step))
        }
        #expect(abs(root.learningRate(step: 15) - 0.05) < 1e-12)
    }

    @Test func theModelIsTheAverageWhereThereIsOne() throws {
        let fixture = try RunFixture()
        let run = try LocalRun(
            try fixture.configuration(Self.layers, "average={decay:0.5,warmsUp:false}"))
        var expected = run.weights("output.weight")
        for step in 1...3 {
            try run.train(to: step)
            expected = zip(expected, run.weights("output.weight")).map { $0 + 0.5 * ($1 - $0) }
        }
        let last = run.weights("output.weight")
        func stored(_ file: Int, _ name: String) throws -> [Float] {
            let bytes = try run.model.files()[file].bytes
            let array = try #require(
                try SafetensorsReader.read(bytes, name: "file").arrays.first { $0.name == name })
            var floats = [Float](repeating: 0, count: expected.count)
            let isCopied = floats.withUnsafeMutableBufferPointer { array.copyFloats(to: $0) }
            #expect(isCopied)
            return floats
        }
        #expect(last != expected)
        #expect(try stored(0, "output.weight") == expected)
        #expect(try stored(1, "output.weight.value") == last)
        #expect(run.model.asKept { run.weights("output.weight") } == expected)
        #expect(run.weights("output.weight") == last)

        // To use the model, its file is enough.
        let used = try LocalRun(try fixture.configuration(Self.layers, "average={}"))
        try used.task.network.load(
            try SafetensorsReader.read(try run.model.files()[0].bytes, name: "model"),
            fileName: "model")
        #expect(used.weights("output.weight") == expected)
    }

    @Test func groupsChangeTheirParametersAlone() throws {
        let fixture = try RunFixture()
        func trained(_ more: String...) throws -> LocalRun {
            let run = try LocalRun(
                try fixture.configuration(
                    [Self.layers, "optimizer.weightDecay=0.5"] + more))
            try run.train(to: 1)
            return run
        }
        let plain = try trained()
        let frozen = try trained("optimizer.groups=[{match:'hidden',learningRateFactor:0}]")
        let begin = try LocalRun(try fixture.configuration(Self.layers))
        #expect(frozen.weights("hidden.weight") == begin.weights("hidden.weight"))
        #expect(frozen.weights("hidden.bias") == begin.weights("hidden.bias"))
        #expect(frozen.weights("output.weight") == plain.weights("output.weight"))

        // After one step of SGD the decay is all that differs: rate 0.1 x decay 0.5.
        let sparing = try trained("optimizer.decayNormsAndBiases=false")
        #expect(sparing.weights("hidden.weight") == plain.weights("hidden.weight"))
        let difference = zip(sparing.weights("hidden.bias"), plain.weights("hidden.bias"))
        let decays = zip(difference, begin.weights("hidden.bias"))
        #expect(decays.allSatisfy { abs($0.0 - $0.1 - 0.05 * $1) < 1e-6 })
        let same = try trained("optimizer.groups=[{match:'*.bias',decayFactor:0}]")
        #expect(same.weights("hidden.bias") == sparing.weights("hidden.bias"))
    }
}
