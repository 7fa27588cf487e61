import CKernels
import Kernels
import Tensors

// Recurrent layers over whole sequences, as one operation per layer.
//
// Legend: T steps, N sequences, I inputs, H hidden units, D directions, K products per unit (RNN 1,
// GRU 3, LSTM 4). Everything is laid out step by step, [T, N, ...], so that a step is one dense
// matrix.
//
//   forward   P_t[N, K H] = x_t[N, I] * Wih^T + h_(t-1)[N, H] * Whh^T
//             gates, cell and h_t from P_t                         one pass in C
//   backward  dP_t from dh_t                                       one pass in C
//             dx_t = dP_t * Wih, dh_(t-1) += dP_t * Whh
//             dWih += dP^T x, dWhh += dP^T h_(previous)            over all steps
//
// The rows of a step, x_t, h_(t-1) and dP_t, are put into blocks of 16 columns once (see
// CKernelsSequence.h), so that no product has to pack them again. On processors
// without AVX2, and for fewer than four steps, OpenBLAS multiplies what lies row by row; products
// with Wih are then one for all steps. Where x is rows of an embedding, RecurrentTokens.swift takes
// the place of the products with Wih.
//
// The states of both directions lie side by side in rows 1...T of one buffer [T + 2, N, D H],
// between the initial states of the forward direction (row 0) and of the reversed one (row T + 1):
//
//   row      0        1 ... T        T + 1
//   forward  initial  h_0 ... h_T-1    -
//   reversed    -     h_0 ... h_T-1  initial
//
// Rows 1...T are the layer's output as they stand, and the previous states of all steps are a
// slice too: nothing is joined or copied.
//
// Sequences that are shorter than the batch rest beyond their end: the state is carried on
// unchanged, the output is 0 and no gradient arises there. A reversed direction carries its initial
// state to the end of each sequence and starts from there, which is what PyTorch's packed sequences
// compute.

/// Runs one recurrent layer over a batch of sequences.
///
/// - Parameters:
///   - x: [T, N, I], or [N, I] for a single step.
///   - directions: one, or a forward and a reversed one.
///   - initial: states by direction; zeros where there are none.
///   - lengths: the steps of each sequence, at most T; nil where all have T.
/// - Returns: the output [T, N, D H] (or [N, D H]), zeros beyond the end of a sequence, and the
///   states after the last step of each sequence by direction.
/// Cost: 2 T N D K H (I + H) FLOPs forward, twice that backward.
public func recurrentSequence(
    _ x: Variable, unit: RecurrentUnit, directions: [RecurrentWeights],
    initial: [RecurrentState]? = nil, lengths: [Int32]? = nil
) -> (output: Variable, final: [RecurrentState]) {
    let geometry = RecurrentGeometry(x.shape, unit, directions, lengths)
    require(
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

/// The gradients that backward has brought to the outputs of one layer.
final class ArrivedGradients {
    var output: Tensor?
    var hidden: [Tensor?]
    var cell: [Tensor?]

    init(_ directions: Int) {
        hidden = Array(repeating: nil, count: directions)
        cell = hidden
    }
}
