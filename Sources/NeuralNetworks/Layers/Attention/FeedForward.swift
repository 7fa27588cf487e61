import Autodiff

/// The function between the two linear maps of a Transformer layer.
public enum FeedForwardActivation: Sendable {
    /// max(x, 0)
    case relu
    /// x Phi(x)
    case gelu(GELUForm)

    /// GELU as PyTorch's default computes it.
    public static let gelu = FeedForwardActivation.gelu(.erf)
}

/// linear2(dropout(activation(linear1(x)))), position by position (Vaswani et al. 2017, section
/// 3.3).
public struct FeedForward: Layer {
    /// width to hidden and hidden to width.
    public let linear1: Linear, linear2: Linear
    private let activation: FeedForwardActivation
    private let probability: Float

    /// Both maps as `Linear` initialises them.
    public init(
        _ width: Int, hidden: Int, activation: FeedForwardActivation = .relu, dropout: Float = 0,
        bias: Bool = true, stream: inout InitializationStream
    ) {
        linear1 = Linear(width, hidden, bias: bias, stream: &stream)
        linear2 = Linear(hidden, width, bias: bias, stream: &stream)
        self.activation = activation
        probability = dropout
    }

    /// [..., width] to the same.
    public func callAsFunction(_ x: Variable) -> Variable {
        linear2(dropout(hidden(x), probability: probability))
    }

    private func hidden(_ x: Variable) -> Variable {
        switch activation {
        case .relu: return relu(linear1(x))
        case .gelu(let form):
            guard let bias = linear1.bias else { return gelu(linear1(x), form) }
            return linearGELU(x, weight: linear1.weight, bias: bias, form: form)
        }
    }
}
