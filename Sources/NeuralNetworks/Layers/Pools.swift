import Autodiff
import Kernels

/// The largest input of each window of [N, H, W, C].
public struct MaxPool2d: Layer {
    private let kernel: ImageWindow.Pair, stride: ImageWindow.Pair, padding: ImageWindow.Pair

    /// The stride is the kernel where none is given.
    public init(
        kernel: ImageWindow.Pair, stride: ImageWindow.Pair? = nil,
        padding: ImageWindow.Pair = .init(0)
    ) {
        self.kernel = kernel
        self.stride = stride ?? kernel
        self.padding = padding
    }

    /// The forward pass.
    public func callAsFunction(_ x: Variable) -> Variable {
        maxPool2d(x, kernel: kernel, stride: stride, padding: padding)
    }
}

/// The mean of each window of [N, H, W, C], padding counted as zeros.
public struct AveragePool2d: Layer {
    private let kernel: ImageWindow.Pair, stride: ImageWindow.Pair, padding: ImageWindow.Pair

    /// The stride is the kernel where none is given.
    public init(
        kernel: ImageWindow.Pair, stride: ImageWindow.Pair? = nil,
        padding: ImageWindow.Pair = .init(0)
    ) {
        self.kernel = kernel
        self.stride = stride ?? kernel
        self.padding = padding
    }

    /// The forward pass.
    public func callAsFunction(_ x: Variable) -> Variable {
        averagePool2d(x, kernel: kernel, stride: stride, padding: padding)
    }
}

/// The mean over all positions: [N, H, W, C] -> [N, 1, 1, C].
public struct GlobalAveragePool: Layer {
    /// Has no settings.
    public init() {}
    /// The forward pass.
    public func callAsFunction(_ x: Variable) -> Variable { globalAveragePool(x) }
}
