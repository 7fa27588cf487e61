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

    /// [N, H, W, C] -> [N, H', W', C].
    public func callAsFunction(_ x: Variable) -> Variable { callAsFunction(x, relu: false) }

    /// The forward pass of a ReLU and the pool, in one run over memory.
    func callAsFunction(_ x: Variable, relu: Bool) -> Variable {
        maxPool2d(x, kernel: kernel, stride: stride, padding: padding, relu: relu)
    }

    /// Whether the two can be joined: a clipped window needs a position of its own beside the
    /// kernel's.
    var takesRelu: Bool { kernel.height * kernel.width < 256 }

    /// The windows, for an operation that pools what it has computed.
    func window(relu: Bool) -> PoolWindow {
        PoolWindow(kernel: kernel, stride: stride, padding: padding, relu: relu)
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

    /// [N, H, W, C] -> [N, H', W', C].
    public func callAsFunction(_ x: Variable) -> Variable {
        averagePool2d(x, kernel: kernel, stride: stride, padding: padding)
    }
}

/// The mean over all positions: [N, H, W, C] -> [N, 1, 1, C].
public struct GlobalAveragePool: Layer {
    /// Has no settings.
    public init() {}
    /// [N, H, W, C] -> [N, 1, 1, C].
    public func callAsFunction(_ x: Variable) -> Variable { globalAveragePool(x) }
}
