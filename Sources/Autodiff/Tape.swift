import CKernels
import Kernels
import Tensors

// Reverse-mode differentiation (Linnainmaa 1970; Rumelhart, Hinton and Williams 1986).
//
// A forward pass writes one node per operation onto the tape: where its inputs came from and a
// closure that turns the gradient of its output into gradients of its inputs. `backward` walks the
// nodes from the last to the first; a node's gradient is complete when its turn comes, because all
// that used its output was recorded later. Gradients of variables are added up; those of parameters
// go straight into the parameter's slice of the flat buffer. Each node is dropped as soon as it has
// run, and with it the activations its closure held.
//
// The order of all additions is the order of the tape, so equal inputs give equal bits.

/// The record of one forward pass. Used by one thread.
public final class Tape {
    /// Turns the gradient of a node's output into those of its inputs. The gradient may be changed
    /// in place where `isUnique()` says so.
    public typealias Backward = (_ upstream: inout Tensor) -> Void

    private struct Node {
        var backward: Backward?
        var gradient: Tensor?
        var operation: StaticString
        var flops: Int
    }

    /// What this pass is for.
    public let settings: PassSettings
    private var nodes: [Node] = []
    private var randomCallCount: UInt32 = 0
    /// Called in backward when the last use of a parameter has delivered its gradient.
    public var onGradientComplete: ((Parameter) -> Void)?
    /// Is told of the operations and their times.
    package var profile: OperationProfile?
    /// Is shown the named activations of this pass; see `observed`.
    public var hooks: ActivationHooks?
    /// Whether this pass repeats a part of another one, so that what is counted once per pass
    /// (batch statistics, shown activations) has been counted already.
    public let isRepetition: Bool
    /// What has been used since recording stopped; nil while the tape records.
    private var unrecordedUses: UnrecordedUses?

    /// An empty tape.
    public init(_ settings: PassSettings) {
        self.settings = settings
        isRepetition = false
    }

    /// A tape that repeats a part of another pass with the random numbers that followed
    /// `randomCall`.
    init(repeating tape: Tape, from randomCall: UInt32) {
        settings = tape.settings
        hooks = tape.hooks
        isRepetition = true
        randomCallCount = randomCall
    }

    /// Whether operations are recorded now.
    var isRecording: Bool { settings.records && unrecordedUses == nil }

    /// A value that is not differentiated: data.
    public func constant(_ value: Tensor) -> Variable {
        Variable(value: value, tape: self, node: Variable.constantNode)
    }

    /// A value whose gradient is wanted: `onGradient` gets it during `backward`. It is a constant
    /// where the tape does not record.
    public func input(_ value: Tensor, onGradient: @escaping (Tensor) -> Void) -> Variable {
        guard settings.records else { return constant(value) }
        return append(value, "input", 0) { upstream in onGradient(upstream) }
    }

    /// Adds an operation's result to the tape.
    ///
    /// `backward` runs only if it can matter: the tape records, and an input is differentiated or a
    /// parameter is not frozen. Otherwise the result is a constant. A profile shows the operation
    /// under its name, by default that of the calling function; `flops` are those of its forward
    /// products.
    public func record(
        _ value: Tensor, from inputs: [Variable], using parameters: [Parameter] = [],
        operation: StaticString = #function, flops: Int = 0, backward: @escaping Backward
    ) -> Variable {
        profile?.forward(operation, flops: flops)
        if unrecordedUses != nil {
            unrecordedUses?.parameters.append(contentsOf: parameters)
            return constant(value)
        }
        guard settings.records else { return constant(value) }
        let parameters =
            parameters.contains(where: \.isFrozen) ? parameters.filter { !$0.isFrozen } : parameters
        guard !parameters.isEmpty || inputs.contains(where: \.isDifferentiated) else {
            return constant(value)
        }
        for parameter in parameters { parameter.pendingUses += 1 }
        return append(value, operation, flops) { [unowned self] upstream in
            backward(&upstream)
            for parameter in parameters {
                parameter.pendingUses -= 1
                if parameter.pendingUses == 0 { self.onGradientComplete?(parameter) }
            }
        }
    }

    private func append(
        _ value: Tensor, _ operation: StaticString, _ flops: Int, _ backward: @escaping Backward
    ) -> Variable {
        nodes.append(Node(backward: backward, operation: operation, flops: flops))
        return Variable(value: value, tape: self, node: nodes.count - 1)
    }

    /// Adds to the gradient of a variable; the first contribution is adopted without a copy.
    public func addGradient(_ gradient: Tensor, to variable: Variable) {
        guard variable.isDifferentiated else { return }
        require(
            gradient.count == variable.value.count,
            "gradient \(gradient.shape) for a value \(variable.value.shape)")
        guard var sum = nodes[variable.node].gradient.take() else {
            nodes[variable.node].gradient = gradient.reshaped(variable.value.shape)
            return
        }
        if sum.isUnique() {
            rondo_add(sum.pointer, gradient.pointer, sum.count)
            nodes[variable.node].gradient = sum
        } else {
            let fresh = Tensor(uninitialized: sum.shape)
            rondo_sum(fresh.pointer, sum.pointer, gradient.pointer, sum.count)
            nodes[variable.node].gradient = fresh
        }
    }

    /// Adds to the gradient of a parameter: `body` gets its memory and beta, 0 to overwrite what is
    /// there (the first contribution) and 1 to add. It does not run for a frozen parameter, nor for
    /// one without memory for its gradient.
    public func addGradient(
        to parameter: Parameter, _ body: (UnsafeMutablePointer<Float>, _ beta: Float) -> Void
    ) {
        require(
            parameter.rowGradients == nil || parameter.isFrozen,
            "the sparse parameter \(parameter.shape) is used by something else than lookups")
        guard parameter.collectsGradient, let gradient = parameter.gradient else { return }
        body(gradient.pointer, parameter.gradientIsWritten ? 1 : 0)
        parameter.gradientIsWritten = true
    }

    /// Adds `count` numbers, computed elsewhere, to the gradient of a parameter.
    func addGradient(_ sums: UnsafePointer<Float>, count: Int, to parameter: Parameter) {
        addGradient(to: parameter) { gradient, beta in
            accumulate(sums, into: gradient, beta: beta, count: count)
        }
    }

    /// Runs the tape backward from `output`, whose gradient is `upstream`, and empties it.
    public func backward(from output: Variable, upstream: Tensor) {
        addGradient(upstream, to: output)
        while var node = nodes.popLast() {
            if var gradient = node.gradient.take(), let backward = node.backward {
                backward(&gradient)
                profile?.backward(node.operation, flops: node.flops)
            }
        }
    }

    /// Runs backward from a scalar with the upstream gradient 1.
    public func backward(from loss: Variable) {
        backward(from: loss, upstream: Tensor(repeating: 1, loss.value.shape))
    }

    /// Runs `body` without recording: its results are constants, no gradient flows through it.
    public func withoutGradients<Result>(_ body: () -> Result) -> Result {
        countingUses(body).result
    }

    /// Runs `body` without recording; also returns what a recorded run would deliver gradients to.
    func countingUses<Result>(_ body: () -> Result) -> (result: Result, uses: UnrecordedUses) {
        let outer = unrecordedUses
        unrecordedUses = UnrecordedUses()
        let result = body()
        let uses = unrecordedUses ?? UnrecordedUses()
        unrecordedUses = outer
        unrecordedUses?.add(uses)
        return (result, uses)
    }

    /// An input in the place of the constant x, so that gradients can be taken with respect to it;
    /// x itself if the tape does not record.
    func leaf(_ x: Variable, onGradient: @escaping (Tensor) -> Void) -> Variable {
        unrecordedUses?.hasLeaves = true
        return isRecording ? input(x.value, onGradient: onGradient) : x
    }

    /// The number of the next random operation.
    var nextRandomCall: UInt32 { randomCallCount }

    /// Three counter words that no other random operation of any pass uses.
    package func nextRandomCounter() -> (UInt32, UInt32, UInt32) {
        defer { randomCallCount += 1 }
        return (randomCallCount, settings.randomStep, settings.randomReplica)
    }
}

/// What was used while the tape did not record.
struct UnrecordedUses {
    var parameters: [Parameter] = []
    /// Whether constants would have become inputs.
    var hasLeaves = false

    mutating func add(_ other: UnrecordedUses) {
        parameters += other.parameters
        hasLeaves = hasLeaves || other.hasLeaves
    }
}

/// destination = source for beta 0, destination += source for beta 1.
func accumulate(
    _ source: UnsafePointer<Float>, into destination: UnsafeMutablePointer<Float>, beta: Float,
    count: Int
) {
    if beta == 0 {
        destination.update(from: source, count: count)
    } else {
        rondo_add(destination, source, count)
    }
}
