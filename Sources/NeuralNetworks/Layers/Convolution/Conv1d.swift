import Autodiff
import Tensors

/// 1-d convolution: [N, L, C] -> [N, L', outputChannels].
public struct Conv1d: Layer {
    /// [outputChannels, C / groups, k], as in PyTorch.
    public let weight: Parameter
    /// [outputChannels]
    public let bias: Parameter?
    private let stride: Int, padding: Int, dilation: Int, groups: Int

    /// Weight and bias are drawn from `stream`; the bias uniform in +-1 / sqrt(fan in), as in
    /// PyTorch.
    /// - Parameters:
    ///   - padding: zeros on each side.
    ///   - dilation: distance of the taps of the kernel; above 1 the sequences are copied to and
    ///     fro, and a stride saves nothing.
    ///   - groups: parts of the channels that are convolved by themselves; divides both numbers of
    ///     channels.
    public init(
        _ inputChannels: Int, _ outputChannels: Int, kernel: Int, stride: Int = 1,
        padding: Int = 0, dilation: Int = 1, groups: Int = 1, bias: Bool = true,
        initializer: Initializer = .kaimingUniform, stream: inout InitializationStream
    ) {
        self.stride = stride
        self.padding = padding
        self.dilation = dilation
        self.groups = groups
        let fanIn = inputChannels / groups * kernel
        weight = Parameter(
            initializer.tensor(
                [outputChannels, inputChannels / groups, kernel], fanIn: fanIn,
                fanOut: outputChannels / groups * kernel, stream: &stream))
        self.bias =
            bias
            ? Parameter(stream.uniform([outputChannels], bound: 1 / Double(fanIn).squareRoot()))
            : nil
    }

    /// [N, L, C] -> [N, L', outputChannels].
    public func callAsFunction(_ x: Variable) -> Variable {
        guard dilation > 1 else {
            return convolution1d(
                x, weight: weight, bias: bias, stride: stride, padding: padding, groups: groups)
        }
        let (samples, length, channels) = (x.shape[0], x.shape[1], x.shape[2])
        let y = dilated(
            reshape(x, [samples, 1, length, channels]), kernel: .init(1, weight.shape[2]),
            stride: .init(1, stride), padding: .init(0, padding), dilation: .init(1, dilation)
        ) { rows in
            let (images, width) = (rows.shape[0], rows.shape[2])
            let y = convolution1d(
                reshape(rows, [images, width, channels]), weight: weight, bias: bias,
                groups: groups)
            return reshape(y, [images, 1, y.shape[1], y.shape[2]])
        }
        return reshape(y, [samples, y.shape[2], y.shape[3]])
    }

    /// The forward pass of a batch that may be padded: a sequence is followed by zeros, as it is
    /// alone.
    public func callAsFunction(_ x: Features) -> Features {
        guard let lengths = x.lengths else { return Features(self(x.values)) }
        let ended = swapLeadingDimensions(
            zeroPaddedSteps(swapLeadingDimensions(x.values), lengths: lengths))
        return Features(self(ended), lengths: lengths.map(outputLength))
    }

    private func outputLength(_ length: Int32) -> Int32 {
        let rest = Int(length) + 2 * padding - dilatedExtent(weight.shape[2], dilation)
        return rest < 0 ? 0 : Int32(rest / stride + 1)
    }
}
