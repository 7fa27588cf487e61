import NeuralNetworks
import Tensors
import TestSupport
import Testing

@Suite struct OptimizerPropertyTests {
    /// Group by group the bits are those of one pass, so ranges need no care about vector widths.
    @Test func groupsOfEqualFactorsChangeNothing() {
        let count = 100
        for make: (Int) -> any Optimizer in [
            { SGD(count: $0, momentum: 0.9, weightDecay: 0.1) },
            { Adam(count: $0, weightDecay: 0.1) }, { RMSProp(count: $0, momentum: 0.9) },
            { Adagrad(count: $0) }, { Adadelta(count: $0) },
        ] {
            let whole = drawn("values", [count])
            let parts = whole.copied()
            let wholeRule = make(count)
            let groups = [0..<3, 3..<50, 50..<100].map { ParameterGroup(ranges: [$0]) }
            let partRule = make(count).grouped(groups)
            for step in 1...3 {
                let gradients = drawn("gradients/\(step)", [count])
                for (rule, values) in [(wholeRule, whole), (partRule, parts)] {
                    rule.update(
                        values, gradients: gradients.pointer, gradientScale: 0.5,
                        learningRate: 0.1, step: step)
                }
            }
            #expect(whole.scalars == parts.scalars)
            #expect(wholeRule.states.map(\.scalars) == partRule.states.map(\.scalars))
        }
    }

    @Test func normDoesNotOverflowAndIsExactForIntegers() {
        let large = Tensor(repeating: 1e30, [10_000])
        let (scale, norm) = GradientClipping.globalNorm(1).apply(
            to: large.pointer, count: 10_000, gradientScale: 1)
        #expect(norm.map { abs($0 / 1e32 - 1) < 1e-6 } == true)
        #expect(abs(scale / 1e-32 - 1) < 1e-5)
        let integers = Tensor((0..<9001).map { Float($0 % 7) - 3 }, [9001])
        let expected = integers.scalars.reduce(0.0) { $0 + Double($1) * Double($1) }
        let exact = GradientClipping.globalNorm(1).apply(
            to: integers.pointer, count: 9001, gradientScale: 1
        ).norm
        #expect(exact == expected.squareRoot())
    }

    @Test func averageTradesPlacesForAnEvaluation() {
        let values = drawn("values", [20])
        let average = ExponentialAverage(of: values, decay: 0.5)
        let before = values.scalars
        values.pointer.update(repeating: 1, count: 20)
        average.update(values, step: 1)
        let expected = before.map { $0 + 0.5 * (1 - $0) }
        average.whileExchanged(with: values) { #expect(values.scalars == expected) }
        #expect(values.scalars == [Float](repeating: 1, count: 20))
        #expect(average.average.scalars == expected)
    }
}
