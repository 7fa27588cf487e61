import Autodiff
import Kernels
import Tensors
import TestSupport
import Testing

@Suite struct OperationGradientTests {
    private let check = GradientCheck()

    @Test func linearLayer() {
        var generator = SplitMix(seed: 1)
        let weight = Parameter(generator.tensor([3, 5]))
        let bias = Parameter(generator.tensor([3]))
        check.expectRight(inputs: [generator.tensor([4, 5])], parameters: [weight, bias]) {
            linear($0[0], weight: weight, bias: bias)
        }
        check.expectRight(inputs: [generator.tensor([2, 2, 5])], parameters: [weight]) {
            linear($0[0], weight: weight, bias: nil)
        }
    }

    @Test(arguments: [
        // kernel, stride, padding, groups, inputs, outputs
        (3, 1, 1, 1, 2, 3), (3, 2, 1, 1, 2, 3), (1, 1, 0, 1, 3, 2), (1, 2, 0, 1, 2, 2),
        (3, 1, 0, 2, 4, 2), (2, 1, 0, 1, 1, 2), (3, 2, 1, 3, 3, 6), (3, 1, 3, 1, 1, 1),
        (5, 1, 2, 1, 1, 2),
    ])
    func convolution(kernel: Int, stride: Int, padding: Int, groups: Int, inputs: Int, outputs: Int)
    {
        var generator = SplitMix(seed: 2)
        let weight = Parameter(generator.tensor([outputs, inputs / groups, kernel, kernel]))
        let bias = Parameter(generator.tensor([outputs]))
        check.expectRight(
            inputs: [generator.tensor([2, 5, 6, inputs])], parameters: [weight, bias]
        ) {
            convolution2d(
                $0[0], weight: weight, bias: bias, stride: .init(stride), padding: .init(padding),
                groups: groups)
        }
    }

    @Test func convolutionWithUnequalSides() {
        var generator = SplitMix(seed: 3)
        let weight = Parameter(generator.tensor([2, 2, 1, 3]))
        check.expectRight(inputs: [generator.tensor([1, 4, 7, 2])], parameters: [weight]) {
            convolution2d(
                $0[0], weight: weight, bias: nil, stride: .init(2, 1), padding: .init(0, 1))
        }
    }

    @Test(arguments: [(2, 2, 0), (3, 2, 1), (2, 1, 0)])
    func pooling(kernel: Int, stride: Int, padding: Int) {
        var generator = SplitMix(seed: 4)
        let x = generator.separated([2, 5, 6, 3])
        check.expectRight(inputs: [x]) {
            maxPool2d(
                $0[0], kernel: .init(kernel), stride: .init(stride), padding: .init(padding))
        }
        check.expectRight(inputs: [x]) {
            averagePool2d(
                $0[0], kernel: .init(kernel), stride: .init(stride), padding: .init(padding))
        }
        check.expectRight(inputs: [x]) { globalAveragePool($0[0]) }
    }

    @Test(arguments: [Shape([6, 3]), Shape([2, 3, 4, 5]), Shape([70, 66])])
    func batchNormalisation(shape: Shape) {
        var generator = SplitMix(seed: 5)
        let channels = shape.columns
        let weight = Parameter(generator.tensor([channels], 0.5...1.5))
        let bias = Parameter(generator.tensor([channels]))
        let mean = RunningStatistic(Tensor(zeros: [channels]), momentum: 0.1)
        let variance = RunningStatistic(Tensor(repeating: 1, [channels]), momentum: 0.1)
        check.expectRight(inputs: [generator.tensor(shape)], parameters: [weight, bias]) {
            batchNormalization(
                $0[0], weight: weight, bias: bias, runningMean: mean, runningVariance: variance,
                epsilon: 1e-5)
        }
    }

    @Test func activations() {
        var generator = SplitMix(seed: 6)
        let separated = generator.separated([3, 7])
        check.expectRight(inputs: [separated]) { relu($0[0]) }
        let x = generator.tensor([3, 7], -2...2)
        check.expectRight(inputs: [x]) { tanh($0[0]) }
        check.expectRight(inputs: [x]) { sigmoid($0[0]) }
    }

    @Test func dropoutAdditionAndFlatten() {
        var generator = SplitMix(seed: 7)
        let x = generator.tensor([2, 3, 4, 5])
        check.expectRight(inputs: [x]) { dropout($0[0], probability: 0.4) }
        check.expectRight(inputs: [x]) { flatten($0[0]) }
        check.expectRight(inputs: [x, generator.tensor([2, 3, 4, 5])]) { add($0[0], $0[1]) }
        // The same variable on both sides: contributions add up.
        check.expectRight(inputs: [x]) { add(tanh($0[0]), $0[0]) }
        check.expectRight(inputs: [x]) { add($0[0], $0[0]) }
    }

    @Test func softmaxLoss() {
        var generator = SplitMix(seed: 8)
        let labels: [Int32] = [2, 0, 4, 1]
        check.expectRight(inputs: [generator.tensor([4, 5], -2...2)]) {
            softmaxCrossEntropy($0[0], labels: labels).loss
        }
    }

    /// A parameter that is used twice, and a gradient that arrives in two passes.
    @Test func sharedParameter() {
        var generator = SplitMix(seed: 9)
        let weight = Parameter(generator.tensor([4, 4]))
        check.expectRight(inputs: [generator.tensor([3, 4])], parameters: [weight]) {
            linear(tanh(linear($0[0], weight: weight, bias: nil)), weight: weight, bias: nil)
        }
    }

    /// The check itself must be able to fail: a rule that is off by 1 % is caught.
    @Test func wrongRuleIsCaught() {
        var generator = SplitMix(seed: 10)
        let errors = check.errors(inputs: [generator.tensor([3, 7])]) { inputs in
            let x = inputs[0]
            let y = Tensor(x.value.scalars.map { $0 * $0 }, x.shape)
            return x.tape.record(y, from: [x]) { upstream in
                let wrong = zip(x.value.scalars, upstream.scalars).map { 2.02 * $0 * $1 }
                x.tape.addGradient(Tensor(wrong, x.shape), to: x)
            }
        }
        #expect(errors.count == 1)
        #expect(errors[0] > GradientCheck.limit)
        #expect(errors[0] < 0.02)
    }
}
