import Kernels
import Tensors

/// The kind of a recurrent layer.
public enum RecurrentUnit: String, Sendable {
    /// h = tanh(Wih x + Whh h + b) (Elman 1990).
    case tanh
    /// h = max(0, Wih x + Whh h + b).
    case relu
    /// Hochreiter and Schmidhuber 1997 with the forget gate of Gers et al. 2000; gates i, f, g, o.
    case lstm
    /// Cho et al. 2014 in the variant of cuDNN and PyTorch (reset after the product); gates r, z,
    /// n.
    case gru

    /// K, the rows of a weight per hidden unit.
    public var productCount: Int {
        switch self {
        case .tanh, .relu: 1
        case .gru: 3
        case .lstm: 4
        }
    }
}

/// The parameters of one layer in one direction, as in PyTorch.
public struct RecurrentWeights {
    /// [K H, I]
    public let input: Parameter
    /// [K H, H]
    public let hidden: Parameter
    /// [K H] each
    public let biases: (input: Parameter, hidden: Parameter)?
    /// Whether it reads the sequence from its end.
    public let isReversed: Bool

    /// - Precondition: the shapes agree.
    public init(
        input: Parameter, hidden: Parameter, biases: (input: Parameter, hidden: Parameter)? = nil,
        isReversed: Bool = false
    ) {
        require(
            input.shape.rank == 2 && hidden.shape.rank == 2 && input.shape[0] == hidden.shape[0]
                && (biases.map {
                    $0.input.shape == [hidden.shape[0]] && $0.hidden.shape == [hidden.shape[0]]
                } ?? true),
            "recurrent weights \(input.shape) and \(hidden.shape), biases "
                + "\(shapeText(biases?.input)) and \(shapeText(biases?.hidden))")
        self.input = input
        self.hidden = hidden
        self.biases = biases
        self.isReversed = isReversed
    }

    var parameters: [Parameter] {
        [input, hidden] + (biases.map { [$0.input, $0.hidden] } ?? [])
    }
}

/// The state of one layer in one direction.
public struct RecurrentState {
    /// [N, H]
    public let hidden: Variable
    /// [N, H]; nil but for an LSTM.
    public let cell: Variable?

    /// A state; only an LSTM has a cell.
    public init(hidden: Variable, cell: Variable? = nil) {
        self.hidden = hidden
        self.cell = cell
    }
}
