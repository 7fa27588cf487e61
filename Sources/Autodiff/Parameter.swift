import Kernels
import Tensors

// Parameters and batch statistics do not own their memory: a ParameterStore lays them out in flat
// buffers, so that a bucket of gradients is a slice and an optimizer runs over one array. Until a
// store has adopted them they hold memory of their own.

/// A trained tensor and the place where its gradient is collected.
///
/// Touched by one thread at a time: the one that runs the forward and backward pass, or, between
/// steps, the one that applies the optimizer.
public final class Parameter {
    /// The sizes, in PyTorch's layout for the layer.
    public let shape: Shape
    /// The current values.
    public package(set) var value: Tensor
    /// Where the backward pass collects the gradient; nil until a store or `attachGradient` gives
    /// it memory.
    public package(set) var gradient: Tensor?
    /// Whether `gradient` holds something since the last `clearGradient`. The first contribution
    /// overwrites, so the buffer need not be zeroed before a step.
    public package(set) var gradientIsWritten = false
    /// Whether it is a constant: no gradient is computed, and where nothing before an operation
    /// needs gradients either, no backward runs there.
    ///
    /// Freeze before a ParameterStore adopts the model: the parameter then takes no memory for
    /// gradients and optimizer state, and stays frozen. One that is frozen later keeps its memory,
    /// gets gradients of 0, and may be thawed again.
    public var isFrozen = false {
        didSet {
            require(
                isFrozen || hasGradientMemory,
                "parameter \(shape) was frozen when its store was made, and stays so")
        }
    }
    /// Whether it is a table whose gradient holds touched rows alone, so that a step costs what its
    /// rows cost and not what the table costs. Only `embedding` may use such a parameter.
    ///
    /// Takes effect when a ParameterStore adopts the model.
    public var isSparse = false {
        didSet {
            require(
                !isSparse || shape.rank == 2, "a sparse parameter of \(shape) has no rows")
        }
    }
    /// Where lookups collect the gradient of a sparse parameter; nil until a store binds one.
    public package(set) var rowGradients: RowGradients?
    /// Whether the store that adopted it gives it memory for a gradient; true without a store.
    package var hasGradientMemory = true
    /// Whether backward has to compute its gradient.
    var collectsGradient: Bool { gradient != nil && !isFrozen }
    /// Uses in the forward pass whose backward has not run yet.
    var pendingUses = 0
    /// Position among the store's trained parameters; -1 if no store trains it.
    package var index = -1

    /// A parameter with these initial values.
    public init(_ value: Tensor) {
        self.value = value
        shape = value.shape
    }

    /// Forgets the gradient; the next contribution overwrites it.
    public func clearGradient() {
        gradientIsWritten = false
        pendingUses = 0
    }

    /// Gives the gradient memory of its own, for use without a store.
    public func attachGradient() {
        gradient = Tensor(zeros: shape)
        clearGradient()
    }
}

/// A parameter's shape, for messages.
func shapeText(_ parameter: Parameter?) -> String {
    parameter.map { "\($0.shape)" } ?? "none"
}

/// State that training updates by averaging and not by a gradient, such as a running mean.
///
/// Each replica adds its own statistics, times its sample count, to `contribution`; the sums over
/// all replicas become the next running value. Touched like a Parameter.
public final class RunningStatistic {
    /// Sizes of the value.
    public let shape: Shape
    /// The running value, read in evaluation.
    public package(set) var value: Tensor
    /// Sum over the step's samples; nil without a store.
    package var contribution: Tensor?
    /// Whether the contribution holds something since the last clear.
    package var contributionIsWritten = false
    /// new = (1 - momentum) * old + momentum * mean over the step's samples.
    public let momentum: Float

    /// Statistics that start at `value`.
    public init(_ value: Tensor, momentum: Float) {
        self.value = value
        self.momentum = momentum
        shape = value.shape
    }
}
