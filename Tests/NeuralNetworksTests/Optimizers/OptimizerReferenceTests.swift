import NeuralNetworks
import Tensors
import TestSupport
import Testing

/// Ten steps of every optimizer, schedule and bound against PyTorch.
@Suite struct OptimizerReferenceTests {
    private static let count = 37

    private struct Run {
        let name: String
        var kind: String
        var rate = 0.1
        var schedule: Schedule?
        var clipping = GradientClipping.none
        var average: (decay: Double, warmsUp: Bool)?
        let optimizer: any Optimizer

        init(_ name: String, _ rate: Double, _ optimizer: any Optimizer) {
            self.name = name
            self.rate = rate
            self.optimizer = optimizer
            kind = "\(type(of: optimizer))"
        }
    }

    @Test func tenStepsAgreeWithPyTorch() throws {
        let file = try ReferenceFile("reference/optimizers.json")
        let table = ReferenceTable("Optimizers and schedules against PyTorch", file)
        for run in optimizers() + bounds() + groups() + schedules() {
            table.compare(run.name, kind: run.kind, results(run))
        }
        table.finish()
    }

    private func results(_ run: Run) -> [String: Tensor] {
        let count = Self.count
        let values = drawn("start", [count])
        var average: ExponentialAverage?
        if let (decay, warmsUp) = run.average {
            average = ExponentialAverage(of: values, decay: decay, warmsUp: warmsUp)
        }
        var rows: [Float] = []
        var rates: [Float] = []
        for step in 0..<10 {
            // As sums over four samples.
            let noise = drawn("noise/\(step)", [count])
            let gradients = Tensor(
                zip(values.scalars, noise.scalars).map { 4 * (0.5 * $0 + $1) }, [count])
            let (scale, _) = run.clipping.apply(
                to: gradients.pointer, count: count, gradientScale: 0.25)
            let rate = run.schedule?.learningRate(step: step) ?? run.rate
            run.optimizer.update(
                values, gradients: gradients.pointer, gradientScale: scale, learningRate: rate,
                step: step + 1)
            average?.update(values, step: step + 1)
            rows += average?.average.scalars ?? values.scalars
            rates.append(Float(rate))
        }
        var results = ["values": Tensor(rows, [10, count])]
        if run.schedule != nil { results["rates"] = Tensor(rates, [10]) }
        return results
    }

    private func optimizers() -> [Run] {
        let count = Self.count
        return [
            Run("sgd", 0.1, SGD(count: count, weightDecay: 0.01)),
            Run("sgd momentum", 0.1, SGD(count: count, momentum: 0.9, weightDecay: 0.01)),
            Run("sgd nesterov", 0.1, SGD(count: count, momentum: 0.9, nesterov: true)),
            Run("adam", 0.05, Adam(count: count, beta1: 0.8, beta2: 0.95, weightDecay: 0.1)),
            Run("adamw", 0.05, Adam(count: count, weightDecay: 0.1, decoupledDecay: true)),
            Run("rmsprop", 0.02, RMSProp(count: count)),
            Run(
                "rmsprop momentum", 0.02,
                RMSProp(count: count, alpha: 0.9, momentum: 0.9, weightDecay: 0.1)),
            Run(
                "rmsprop centred", 0.02,
                RMSProp(count: count, alpha: 0.9, epsilon: 1e-4, centered: true)),
            Run(
                "rmsprop centred momentum", 0.02,
                RMSProp(count: count, alpha: 0.9, epsilon: 1e-4, momentum: 0.5, centered: true)),
            Run("adagrad", 0.2, Adagrad(count: count)),
            Run(
                "adagrad decays", 0.2,
                Adagrad(count: count, rateDecay: 0.1, initialSum: 0.5, weightDecay: 0.1)),
            Run("adadelta", 1, Adadelta(count: count)),
            Run(
                "adadelta decay", 0.5,
                Adadelta(count: count, rho: 0.8, epsilon: 1e-5, weightDecay: 0.1)),
        ]
    }

    private func bounds() -> [Run] {
        let count = Self.count
        var short = Run("clip norm", 0.1, SGD(count: count, momentum: 0.9))
        short.clipping = .globalNorm(2)
        var long = Run("clip norm unused", 0.1, SGD(count: count))
        long.clipping = .globalNorm(50)
        var value = Run("clip value", 0.05, Adam(count: count))
        value.clipping = .value(0.3)
        var average = Run("average", 0.1, SGD(count: count))
        average.average = (0.9, false)
        var early = Run("average warms up", 0.1, SGD(count: count))
        early.average = (0.4, true)
        var runs = [short, long, value, average, early]
        for index in runs.indices {
            runs[index].kind = index < 3 ? "GradientClipping" : "ExponentialAverage"
        }
        return runs
    }

    private func groups() -> [Run] {
        let count = Self.count
        // A bias, a matrix and a bias as the store lays them out.
        let slots = [
            StateSlot(name: "a.bias", shape: [16], offset: 0),
            StateSlot(name: "b.weight", shape: [4, 4], offset: 16),
            StateSlot(name: "b.bias", shape: [5], offset: 32),
        ]
        let groups = ParameterGroup.groups(of: slots, count: count) {
            $0.shape.rank > 1 ? (1, 1) : (2, 0)
        }
        #expect(groups.map(\.ranges) == [[0..<16, 32..<37], [16..<32]])
        #expect(
            ParameterGroup.decayingMatrices(of: slots, count: count).map(\.decayFactor) == [0, 1])
        return [
            Run(
                "groups adamw", 0.05,
                Adam(count: count, weightDecay: 0.2, decoupledDecay: true).grouped(groups)),
            Run(
                "groups sgd", 0.05,
                SGD(count: count, momentum: 0.9, weightDecay: 0.2).grouped(groups)),
        ]
    }

    private func schedules() -> [Run] {
        let shapes: [(String, Schedule.Shape, Int, Int)] = [
            ("constant", .constant, 0, 10), ("step", .step(everySteps: 3, factor: 0.5), 0, 10),
            ("warm-up", .constant, 4, 10),
            ("warm-up, cosine", .cosine(minimum: 0.04), 3, 10),
            ("warm-up, step", .step(everySteps: 3, factor: 0.5), 2, 10),
            ("cosine", .cosine(minimum: 0.04), 0, 10), ("one cycle", .oneCycle(), 0, 11),
            ("one cycle short", .oneCycle(rise: 0.25, startDivisor: 10, endDivisor: 100), 0, 20),
            ("inverse square root", .inverseSquareRoot, 4, 10),
        ]
        return shapes.map { name, shape, warmup, total in
            var run = Run("schedule \(name)", 0, SGD(count: Self.count))
            run.kind = "Schedule"
            run.schedule = Schedule(
                peak: 0.4, shape: shape, warmupSteps: warmup, totalSteps: total)
            return run
        }
    }
}
