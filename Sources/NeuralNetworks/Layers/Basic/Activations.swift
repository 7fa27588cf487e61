import Autodiff

/// A layer without parameters that is a function of its input alone.
public struct Activation: Layer, Sendable {
    private let function: @Sendable (Variable) -> Variable
    /// Whether this is `relu`, which some layers can compute along with their own work.
    fileprivate let isRelu: Bool

    /// Wraps a function of one variable.
    public init(_ function: @escaping @Sendable (Variable) -> Variable) {
        self.init(isRelu: false, function)
    }

    private init(isRelu: Bool, _ function: @escaping @Sendable (Variable) -> Variable) {
        self.isRelu = isRelu
        self.function = function
    }

    /// max(x, 0)
    public static let relu = Activation(isRelu: true) { Autodiff.relu($0) }
    /// The hyperbolic tangent.
    public static let tanh = Activation { Autodiff.tanh($0) }
    /// 1 / (1 + exp(-x))
    public static let sigmoid = Activation { Autodiff.sigmoid($0) }
    /// [N, H, W, C] -> [N, C H W] in PyTorch's order of features.
    public static let flatten = Activation { Autodiff.flatten($0) }

    /// The function of `x`.
    public func callAsFunction(_ x: Variable) -> Variable { function(x) }

    /// A ReLU with the max pool behind it.
    public func fused(with following: ArraySlice<any Layer>) -> FusedLayers? {
        guard isRelu, let pool = following.first as? MaxPool2d, pool.takesRelu else { return nil }
        return FusedLayers(followingCount: 1) { pool($0, relu: true) }
    }
}

extension Layer {
    /// Whether this is `Activation.relu`.
    var isRelu: Bool { (self as? Activation)?.isRelu == true }
}

/// Zeroes each element with `probability` in training (Srivastava et al. 2014).
public struct Dropout: Layer {
    private let probability: Float

    /// 0 <= probability < 1
    public init(probability: Float) { self.probability = probability }

    /// In evaluation `x` itself.
    public func callAsFunction(_ x: Variable) -> Variable { dropout(x, probability: probability) }
}
