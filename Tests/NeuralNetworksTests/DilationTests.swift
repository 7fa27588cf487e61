import Autodiff
import Kernels
import NeuralNetworks
import TestSupport
import Tensors
import Testing

/// A dilated convolution is an ordinary one whose larger kernel has zeros between the taps.
@Suite struct DilationTests {
    private struct Case: Sendable, CustomTestStringConvertible {
        var size: [Int]
        var kernel: ImageWindow.Pair
        var stride: ImageWindow.Pair = 1
        var padding: ImageWindow.Pair = 0
        var dilation: ImageWindow.Pair
        var groups = 1

        var testDescription: String {
            "\(size), kernel \(kernel), stride \(stride), padding \(padding), dilation \(dilation)"
        }
    }

    private static let cases = [
        Case(size: [7, 9], kernel: 3, dilation: 2),
        Case(size: [8, 8], kernel: 3, padding: 2, dilation: 2, groups: 2),
        Case(
            size: [9, 11], kernel: .init(2, 3), stride: .init(2, 3), padding: .init(0, 4),
            dilation: .init(3, 1)),
        Case(size: [5, 5], kernel: 3, padding: .init(1, 4), dilation: .init(3, 4)),
        Case(size: [6, 7], kernel: 1, stride: 2, dilation: 5),
    ]

    private func pass(
        _ layer: any Layer, _ weight: Parameter, _ bias: Parameter?, _ x: Tensor
    ) -> (y: Tensor, dx: Tensor?, weight: Tensor?, bias: Tensor?) {
        weight.attachGradient()
        bias?.attachGradient()
        let tape = Tape(GradientCheck.settings)
        var dx: Tensor?
        let y = layer(tape.input(x.copied()) { dx = $0 })
        var generator = SplitMix(seed: 4)
        tape.backward(from: y, upstream: generator.tensor(y.shape))
        return (y.value, dx, weight.gradient, bias?.gradient)
    }

    private func expectClose(_ a: Tensor?, _ b: Tensor?) throws {
        let (a, b) = (try #require(a), try #require(b))
        #expect(a.shape == b.shape)
        #expect(zip(a.scalars, b.scalars).allSatisfy { abs($0 - $1) <= 1e-5 * (1 + abs($1)) })
    }

    /// Copies the taps [O, C, kH, kW] of `small` to their places in `large`, or back.
    private func copyTaps(
        _ small: Tensor, _ large: Tensor, _ dilation: ImageWindow.Pair, toLarge: Bool
    ) {
        let (rows, columns) = (small.shape[2], small.shape[3])
        let (largeRows, largeColumns) = (large.shape[2], large.shape[3])
        for map in 0..<small.shape[0] * small.shape[1] {
            for row in 0..<rows {
                for column in 0..<columns {
                    let from = (map * rows + row) * columns + column
                    let to =
                        (map * largeRows + row * dilation.height) * largeColumns
                        + column * dilation.width
                    if toLarge {
                        large.pointer[to] = small.pointer[from]
                    } else {
                        small.pointer[from] = large.pointer[to]
                    }
                }
            }
        }
    }

    @Test(arguments: cases) private func equalsAKernelWithZeros(test: Case) throws {
        var stream = InitializationStream(seed: 1)
        let (kernel, dilation) = (test.kernel, test.dilation)
        let dilated = Conv2d(
            4, 6, kernel: kernel, stride: test.stride, padding: test.padding, dilation: dilation,
            groups: test.groups, stream: &stream)
        let plain = Conv2d(
            4, 6,
            kernel: .init(
                (kernel.height - 1) * dilation.height + 1, (kernel.width - 1) * dilation.width + 1),
            stride: test.stride, padding: test.padding, groups: test.groups, stream: &stream)
        let large = plain.weight.value
        large.pointer.update(repeating: 0, count: large.count)
        copyTaps(dilated.weight.value, large, dilation, toLarge: true)
        let (bias, plainBias) = (try #require(dilated.bias), try #require(plain.bias))
        plainBias.value.pointer.update(from: bias.value.pointer, count: bias.value.count)

        var generator = SplitMix(seed: 2)
        let x = generator.tensor([2, test.size[0], test.size[1], 4])
        let found = pass(dilated, dilated.weight, bias, x)
        let wanted = pass(plain, plain.weight, plainBias, x)
        try expectClose(found.y, wanted.y)
        try expectClose(found.dx, wanted.dx)
        try expectClose(found.bias, wanted.bias)
        let taps = Tensor(zeros: dilated.weight.shape)
        copyTaps(taps, try #require(wanted.weight), dilation, toLarge: false)
        try expectClose(found.weight, taps)
    }

    @Test func oneDimensionEqualsOneRow() throws {
        var stream = InitializationStream(seed: 1)
        let line = Conv1d(
            4, 6, kernel: 3, stride: 2, padding: 2, dilation: 3, groups: 2, stream: &stream)
        var again = InitializationStream(seed: 1)
        let row = Conv2d(
            4, 6, kernel: .init(1, 3), stride: .init(1, 2), padding: .init(0, 2),
            dilation: .init(1, 3), groups: 2, stream: &again)
        var generator = SplitMix(seed: 2)
        let x = generator.tensor([2, 11, 4])
        let found = pass(line, line.weight, line.bias, x)
        let wanted = pass(row, row.weight, row.bias, x.reshaped([2, 1, 11, 4]))
        try expectClose(found.y, wanted.y.reshaped(found.y.shape))
        try expectClose(found.dx, wanted.dx?.reshaped(x.shape))
        try expectClose(found.weight, wanted.weight?.reshaped(line.weight.shape))
    }
}
