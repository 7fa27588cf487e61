import CKernels
import Kernels
import Tensors

// Recurrent layers over whole sequences, as one operation per layer.
//
// Legend: T steps, N sequences, I inputs, H hidden units, D directions, K products per unit (RNN 1, GRU 3,
// LSTM 4). Everything is laid out step by step, [T, N, ...], so that a step is one dense matrix.
//
//   forward   P_t[N, K H] = x_t[N, I] * Wih^T + h_(t-1)[N, H] * Whh^T
//             gates, cell and h_t from P_t                         one pass in C
//   backward  dP_t from dh_t                                       one pass in C
//             dx_t = dP_t * Wih, dh_(t-1) += dP_t * Whh
//             dWih += dP^T x, dWhh += dP^T h_(previous)            over all steps
//
// The rows of a step, x_t, h_(t-1) and dP_t, are put into blocks of 16 columns when they are there (see
// CKernelsSequence.h): all products that read them do so without packing them anew. On processors
// without AVX2, and for fewer than four steps, OpenBLAS multiplies what lies row by row; products with
// Wih are then one for all steps. Where x is rows of an embedding, RecurrentTokens.swift takes the place of
// the products with Wih.
//
// The states of both directions lie side by side in rows 1...T of one buffer [T + 2, N, D H], between the
// initial states of the forward direction (row 0) and of the reversed one (row T + 1):
//
//   row      0        1 ... T        T + 1
//   forward  initial  h_0 ... h_T-1    -
//   reversed    -     h_0 ... h_T-1  initial
//
// Rows 1...T are the layer's output as they stand, and the previous states of all steps are a
// slice too: nothing is put together or copied.
//
// Sequences that are shorter than the batch rest beyond their end: the state is carried on unchanged, the
// output is 0 and no gradient arises there. A reversed direction carries its initial state to the end of
// each sequence and starts from there, which is what PyTorch's packed sequences compute.

/// The kind of a recurrent layer.
public enum RecurrentUnit: String, Sendable {
    /// h = tanh(Wih x + Whh h + b) (Elman 1990).
    case tanh
    /// h = max(0, Wih x + Whh h + b).
    case relu
    /// Hochreiter and Schmidhuber 1997 with the forget gate of Gers et al. 2000; gates i, f, g, o.
    case lstm
    /// Cho et al. 2014 in the variant of cuDNN and PyTorch (reset after the product); gates r, z, n.
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
        precondition(
            input.shape.rank == 2 && hidden.shape.rank == 2 && input.shape[0] == hidden.shape[0]
                && (biases.map {
                    $0.input.shape == [hidden.shape[0]] && $0.hidden.shape == [hidden.shape[0]]
                } ?? true),
            "recurrent weights \(input.shape) and \(hidden.shape) and their biases")
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
    /// [N, H], of an LSTM.
    public let cell: Variable?

    /// A state; the cell belongs to an LSTM alone.
    public init(hidden: Variable, cell: Variable? = nil) {
        self.hidden = hidden
        self.cell = cell
    }
}

/// Runs one recurrent layer over a batch of sequences.
///
/// - Parameters:
///   - x: [T, N, I], or [N, I] for a single step.
///   - directions: one, or a forward and a reversed one.
///   - initial: states by direction; zeros where there are none.
///   - lengths: the steps of each sequence, at most T; nil where all have T.
/// - Returns: the output [T, N, D H] (or [N, D H]), zeros beyond the end of a sequence, and the states after
///   the last step of each sequence by direction.
/// Cost: 2 T N D K H (I + H) FLOPs forward, twice that backward.
public func recurrentSequence(
    _ x: Variable, unit: RecurrentUnit, directions: [RecurrentWeights],
    initial: [RecurrentState]? = nil, lengths: [Int32]? = nil
) -> (output: Variable, final: [RecurrentState]) {
    let geometry = RecurrentGeometry(x.shape, unit, directions, lengths)
    precondition(
        initial.map { $0.count == directions.count } ?? true,
        "\(initial?.count ?? 0) initial states for \(directions.count) directions")
    let states = Tensor(uninitialized: geometry.statesShape)
    let lookup = x.lookup.flatMap {
        RecurrentTokens.pay($0, rowCount: geometry.activeSteps * geometry.rows) ? $0 : nil
    }
    let runs = directions.enumerated().map { index, weights in
        RecurrentRun(
            geometry, weights: weights, index: index, states: states, initial: initial?[index],
            lookup: lookup)
    }
    for run in runs { run.forward(x.value) }

    // One node computes all gradients. The output and the final states are nodes of their own that
    // leave what they get here and wake that node with a signal.
    let arrived = ArrivedGradients(directions.count)
    let tape = x.tape
    let dense = lookup == nil ? x : nil
    let inputs =
        [lookup?.node ?? x]
        + (initial ?? []).flatMap { [$0.hidden] + ($0.cell.map { [$0] } ?? []) }
    let node = tape.record(
        Tensor(zeros: []), from: inputs, using: directions.flatMap(\.parameters)
    ) { _ in
        let dx = dense.flatMap { $0.isDifferentiated ? Tensor(uninitialized: $0.shape) : nil }
        for run in runs {
            run.backward(dense?.value, on: tape, arrived, dx: dx)
            guard let state = initial?[run.index] else { continue }
            tape.addGradient(run.carry, to: state.hidden)
            if let cell = state.cell { tape.addGradient(run.cellCarry, to: cell) }
        }
        arrived.output = nil
        guard let dx, let dense else { return }
        let active = geometry.activeSteps * geometry.rows * geometry.inputs
        (dx.pointer + active).update(repeating: 0, count: dx.count - active)
        tape.addGradient(dx, to: dense)
    }
    func outlet(_ value: Tensor, _ keep: @escaping (Tensor) -> Void) -> Variable {
        tape.record(value, from: [node]) { upstream in
            keep(upstream)
            tape.addGradient(Tensor(zeros: []), to: node)
        }
    }
    let final = runs.map { run in
        RecurrentState(
            hidden: outlet(run.finalHidden()) { arrived.hidden[run.index] = $0 },
            cell: unit == .lstm
                ? outlet(run.finalCell()) { arrived.cell[run.index] = $0 } : nil)
    }
    let output = outlet(geometry.output(states)) { arrived.output = $0 }
    return (output, final)
}

/// Gradients that have arrived at the outlets of one layer.
final class ArrivedGradients {
    var output: Tensor?
    var hidden: [Tensor?]
    var cell: [Tensor?]

    init(_ directions: Int) {
        hidden = Array(repeating: nil, count: directions)
        cell = hidden
    }
}

/// The sizes of one layer's run.
struct RecurrentGeometry {
    let unit: RecurrentUnit
    /// T; steps that some sequence has; N; I; H; D.
    let steps: Int, activeSteps: Int, rows: Int, inputs: Int, units: Int, directions: Int
    let lengths: [Int32]?
    private let isSingleStep: Bool

    init(
        _ x: Shape, _ unit: RecurrentUnit, _ directions: [RecurrentWeights], _ lengths: [Int32]?
    ) {
        precondition(x.rank == 2 || x.rank == 3, "sequences are [T, N, I] or [N, I], got \(x)")
        isSingleStep = x.rank == 2
        steps = isSingleStep ? 1 : x[0]
        rows = isSingleStep ? x[0] : x[1]
        inputs = x.columns
        let limit = steps
        precondition(
            lengths.map { lengths in
                lengths.allSatisfy { $0 >= 0 && $0 <= limit }
            } ?? true, "a length is outside 0...\(limit)")
        precondition(
            (lengths?.count ?? rows) == rows, "\(lengths?.count ?? 0) lengths of \(rows) sequences")
        // Lengths that cut nothing off are none.
        self.lengths = lengths.flatMap { $0.allSatisfy { $0 == limit } ? nil : $0 }
        activeSteps = self.lengths.map { Int($0.max() ?? 0) } ?? limit
        precondition(
            directions.count == 1
                || directions.count == 2 && !directions[0].isReversed && directions[1].isReversed,
            "a layer has one direction, or a forward and a reversed one")
        units = directions[0].hidden.shape[1]
        let products = unit.productCount * units
        for weights in directions {
            precondition(
                weights.input.shape == [products, inputs]
                    && weights.hidden.shape == [products, units],
                "\(unit) weights \(weights.input.shape), \(weights.hidden.shape) for \(x)")
        }
        self.unit = unit
        self.directions = directions.count
    }

    /// Whether products are our own, which need rows in blocks and packed weights; that pays from four
    /// steps on.
    var isBlocked: Bool { Arithmetic.fusedWidth > 0 && activeSteps >= 4 }
    /// Whether each step keeps four gates per unit; a plain RNN keeps its state alone.
    var isGated: Bool { unit == .lstm || unit == .gru }
    /// D H
    var width: Int { directions * units }
    /// [active steps + 2, N, D H]
    var statesShape: Shape { [activeSteps + 2, rows, width] }

    /// The output: a slice of the states, or a copy with zeros where sequences have ended.
    func output(_ states: Tensor) -> Tensor {
        let shape: Shape = isSingleStep ? [rows, width] : [steps, rows, width]
        guard lengths != nil else { return states.slice(from: rows * width, shape) }
        let output = Tensor(uninitialized: shape)
        output.pointer.update(
            from: states.pointer + rows * width, count: activeSteps * rows * width)
        clearPaddedSteps(output.pointer, lengths: lengths, steps: steps, rows: rows, width: width)
        return output
    }
}
