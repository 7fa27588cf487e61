import Autodiff
import NeuralNetworks
import Tensors
import Testing

@Suite struct ModuleTests {
    /// A model as a user writes it.
    struct TwoLayers: Layer {
        let fc1: Linear
        let norm: BatchNorm
        let blocks: [Linear]
        let width = 3

        init() {
            var stream = InitializationStream(seed: 1)
            fc1 = Linear(4, 3, stream: &stream)
            norm = BatchNorm(3)
            blocks = [Linear(3, 3, bias: false, stream: &stream), Linear(3, 2, stream: &stream)]
        }

        func callAsFunction(_ x: Variable) -> Variable {
            blocks.reduce(norm(fc1(x))) { $1($0) }
        }
    }

    @Test func namesComeFromProperties() {
        let store = ParameterStore(adopting: TwoLayers())
        #expect(
            store.parameterSlots.map(\.name) == [
                "fc1.weight", "fc1.bias", "norm.weight", "norm.bias", "blocks.0.weight",
                "blocks.1.weight", "blocks.1.bias",
            ])
        #expect(store.statisticSlots.map(\.name) == ["norm.running_mean", "norm.running_var"])
        #expect(store.scalarCount == 12 + 3 + 3 + 3 + 9 + 6 + 2)
        #expect(store.parameterSlots.allSatisfy { $0.offset % 16 == 0 })
    }

    @Test func storeMovesTheInitialValues() {
        let model = TwoLayers()
        let before = model.fc1.weight.value.scalars
        let store = ParameterStore(adopting: model)
        #expect(model.fc1.weight.value.scalars == before)
        #expect(model.fc1.weight.value.pointer == store.values.pointer)
        #expect(store.statistics.scalars.contains(1))
    }

    @Test func unusedParametersContributeZeros() {
        let model = TwoLayers()
        let store = ParameterStore(adopting: model)
        let gradients = Tensor(repeating: 7, [store.gradientCount])
        store.bindGradients(to: gradients)
        store.finishGradients()
        store.finishStatistics()
        for (index, slot) in store.parameterSlots.enumerated() {
            #expect(
                store.parameter(at: index).gradient?.scalars
                    == [Float](repeating: 0, count: slot.shape.count))
        }
    }

    @Test func runningStatisticsAverageOverSamples() {
        let norm = BatchNorm(1, momentum: 0.5)
        let store = ParameterStore(adopting: norm)
        let gradients = Tensor(zeros: [store.gradientCount])
        store.bindGradients(to: gradients)
        // Two replicas of 2 and 4 samples: their means and unbiased variances, weighted by samples.
        for values in [[Float](arrayLiteral: 1, 3), [5, 5, 7, 7]] {
            let tape = Tape(
                .training(
                    seed: 1, step: 0, replica: 0, microBatch: 0, sampleCount: values.count))
            _ = norm(tape.constant(Tensor(values, [values.count, 1])))
        }
        store.updateStatistics(
            sums: gradients.pointer + store.values.count, sampleCount: 6)
        let mean = (2 * 2 + 4 * 6) / Float(6)
        let variance = (2 * 2 + 4 * Float(4) / 3) / 6
        #expect(abs(norm.runningMean.value.scalars[0] - mean / 2) < 1e-6)
        #expect(abs(norm.runningVar.value.scalars[0] - (1 + variance) / 2) < 1e-6)
    }

    @Test func initialValuesAreAFunctionOfTheSeed() {
        func weights(_ seed: UInt64, _ initializer: Initializer) -> [Float] {
            var stream = InitializationStream(seed: seed)
            let linear = Linear(200, 300, initializer: initializer, stream: &stream)
            return linear.weight.value.scalars
        }
        #expect(weights(1, .kaimingUniform) == weights(1, .kaimingUniform))
        #expect(weights(1, .kaimingUniform) != weights(2, .kaimingUniform))
        let deviations: [(Initializer, Double)] = [
            (.kaimingUniform, 1 / (3.0 * 200).squareRoot()), (.kaimingNormal, 0.1),
            (.xavierUniform, (2.0 / 500).squareRoot()), (.xavierNormal, (2.0 / 500).squareRoot()),
        ]
        for (initializer, expected) in deviations {
            let values = weights(3, initializer).map(Double.init)
            let mean = values.reduce(0, +) / Double(values.count)
            let variance =
                values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(values.count)
            // 60,000 values: the deviation's own standard error is below 0.3 %.
            #expect(abs(variance.squareRoot() / expected - 1) < 0.015)
            #expect(abs(mean) < expected * 0.02)
        }
    }

    @Test func schedules() {
        let cosine = Schedule(
            peak: 0.1, shape: .cosine(minimum: 0.02), warmupSteps: 4, totalSteps: 14)
        #expect((0..<4).map { cosine.learningRate(step: $0) } == [0.025, 0.05, 0.1 * 3 / 4, 0.1])
        #expect(cosine.learningRate(step: 4) == 0.1)
        #expect(abs(cosine.learningRate(step: 9) - 0.06) < 1e-12)
        #expect(abs(cosine.learningRate(step: 14) - 0.02) < 1e-12)
        let steps = Schedule(
            peak: 1, shape: .step(everySteps: 10, factor: 0.5), totalSteps: 100)
        #expect([0, 9, 10, 25].map { steps.learningRate(step: $0) } == [1, 1, 0.5, 0.25])
    }
}
