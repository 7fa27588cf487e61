import CKernels
import Kernels
import Tensors

/// The run of one direction of one layer through the steps: what forward leaves for backward.
final class RecurrentRun {
    let geometry: RecurrentGeometry
    let weights: RecurrentWeights
    /// The direction's number in the layer.
    let index: Int
    let hasInitial: Bool
    /// Computes the input's products if its rows are those of a table.
    let tokens: RecurrentTokens?
    /// [T + 2, N, D H], shared by the directions.
    private let states: Tensor
    /// The layout of the gates, which hold activated values after forward and gradients of the
    /// products after backward.
    let layout: RecurrentGates
    /// The gates of each step; a plain RNN makes them in backward.
    var gates: Tensor
    /// The cells of an LSTM, [T + 1, N, H], and tanh of the T new ones.
    private let cells: Tensor
    private let squashedCells: Tensor
    /// The left sides of the products with both weights.
    let inputs: RecurrentInputs, previousStates: RecurrentInputs
    /// [N, H]: the gradients of the states in backward; at its end those of the initial states.
    var carry = Tensor(uninitialized: [0])
    var cellCarry = Tensor(uninitialized: [0])

    init(
        _ geometry: RecurrentGeometry, weights: RecurrentWeights, index: Int, states: Tensor,
        initial: RecurrentState?, lookup: TokenLookup?
    ) {
        self.geometry = geometry
        self.weights = weights
        self.index = index
        self.states = states
        hasInitial = initial != nil
        let (rows, steps, isBlocked) = (geometry.rows, geometry.activeSteps, geometry.isBlocked)
        tokens = lookup.map { RecurrentTokens($0, weight: weights.input, rows: rows) }
        layout = RecurrentGates(
            geometry.unit, units: geometry.units, rows: rows, isBlocked: isBlocked)
        inputs = RecurrentInputs(
            rows: rows, columns: geometry.inputs, steps: steps,
            isBlocked: isBlocked && tokens == nil)
        previousStates = RecurrentInputs(
            rows: rows, columns: geometry.units, steps: steps, isBlocked: isBlocked)
        let stateShape: Shape = [geometry.rows, geometry.units]
        gates = Tensor(uninitialized: [geometry.isGated ? steps * layout.stepCount : 0])
        let cellSteps = geometry.unit == .lstm ? steps : 0
        cells = Tensor(uninitialized: [cellSteps + 1, rows, geometry.units])
        squashedCells = Tensor(uninitialized: [cellSteps, rows, geometry.units])
        require(
            initial.map {
                $0.hidden.shape == stateShape && ($0.cell != nil) == (geometry.unit == .lstm)
                    && ($0.cell?.shape ?? stateShape) == stateShape
            } ?? true,
            "\(geometry.unit): initial state \(initial?.hidden.shape ?? []), cell "
                + "\(initial?.cell.map { "\($0.shape)" } ?? "none"), expected \(stateShape)")
        let hidden = states.pointer + initialRow * geometry.rows * geometry.width + column
        for row in 0..<geometry.rows {
            let destination = hidden + row * geometry.width
            if let initial {
                destination.update(
                    from: initial.hidden.value.pointer + row * geometry.units,
                    count: geometry.units)
            } else {
                destination.update(repeating: 0, count: geometry.units)
            }
        }
        if geometry.unit == .lstm {
            let cell = cells.pointer + (weights.isReversed ? geometry.activeSteps : 0) * stateCount
            if let initial = initial?.cell {
                cell.update(from: initial.value.pointer, count: stateCount)
            } else {
                cell.update(repeating: 0, count: stateCount)
            }
        }
    }

    // MARK: Places

    var column: Int { index * geometry.units }
    private var stateCount: Int { geometry.rows * geometry.units }
    private var initialRow: Int { weights.isReversed ? geometry.activeSteps + 1 : 0 }
    var productColumns: Int { geometry.unit.productCount * geometry.units }

    func hidden(_ step: Int) -> UnsafeMutablePointer<Float> {
        states.pointer + (step + 1) * geometry.rows * geometry.width + column
    }
    func previous(_ step: Int) -> Int { weights.isReversed ? step + 1 : step - 1 }
    func cell(_ step: Int) -> UnsafeMutablePointer<Float> {
        cells.pointer + (weights.isReversed ? step : step + 1) * stateCount
    }
    func squashedCell(_ step: Int) -> UnsafeMutablePointer<Float> {
        squashedCells.pointer + step * stateCount
    }
    func gate(_ step: Int) -> UnsafeMutablePointer<Float> {
        gates.pointer + step * layout.stepCount
    }
    func stepInOrder(_ position: Int) -> Int {
        weights.isReversed ? geometry.activeSteps - 1 - position : position
    }

    func withStep(_ step: Int, _ body: (UnsafePointer<rondo_recurrent_step>) -> Void) {
        func call(_ lengths: UnsafePointer<Int32>?) {
            var native = rondo_recurrent_step(
                rows: Int64(geometry.rows), units: Int64(geometry.units),
                stateStride: Int64(geometry.width), step: Int64(step), lengths: lengths)
            body(&native)
        }
        if let lengths = geometry.lengths {
            lengths.withUnsafeBufferPointer { call($0.baseAddress) }
        } else {
            call(nil)
        }
    }

    // MARK: Forward

    func forward(_ x: Tensor) {
        let targetStride = geometry.isGated ? layout.columns : geometry.width
        let bias = combinedBias()
        let products = Tensor(
            uninitialized: geometry.unit == .gru ? [geometry.rows, productColumns] : [0])
        let start = startOfProducts(x, stride: targetStride)
        let product = RecurrentProduct(
            weights.hidden.value.pointer, isTransposed: true, rows: geometry.rows,
            columns: productColumns, inner: geometry.units, isBlocked: layout.isBlocked)
        for position in 0..<geometry.activeSteps {
            let step = stepInOrder(position)
            let target = geometry.isGated ? gate(step) : hidden(step)
            start(step, target)
            let before = hidden(previous(step))
            if geometry.unit == .gru || position > 0 || hasInitial {
                let isApart = geometry.unit == .gru
                product(
                    previousStates.take(step: step, before, stride: geometry.width),
                    into: isApart ? products.pointer : target,
                    stride: isApart ? productColumns : targetStride, adding: !isApart)
            }
            withStep(step) { native in
                switch geometry.unit {
                case .tanh, .relu:
                    rondo_rnn_step(target, before, bias.pointer, geometry.unit == .relu, native)
                case .lstm:
                    rondo_lstm_step(
                        target, cell(step), squashedCell(step), hidden(step),
                        cell(previous(step)), before, bias.pointer, native)
                case .gru:
                    rondo_gru_step(
                        target, hidden(step), products.pointer, before, bias.pointer, native)
                }
            }
        }
    }

    /// Returns a function that puts the input's products of a step where the state's are added to
    /// them.
    private func startOfProducts(
        _ x: Tensor, stride: Int
    ) -> (_ step: Int, _ target: UnsafeMutablePointer<Float>) -> Void {
        if let tokens {
            tokens.beginForward()
            return { step, target in tokens.forward(step: step, into: target, stride: stride) }
        }
        let weight = weights.input.value.pointer
        guard layout.isBlocked else {
            // OpenBLAS is fastest with all steps at once.
            matrixProduct(
                x.pointer, weight, transposeB: true,
                into: geometry.isGated ? gates.pointer : hidden(0),
                m: geometry.activeSteps * geometry.rows, n: productColumns, k: geometry.inputs,
                strideC: stride)
            return { _, _ in }
        }
        let product = RecurrentProduct(
            weight, isTransposed: true, rows: geometry.rows, columns: productColumns,
            inner: geometry.inputs, isBlocked: true)
        return { [self] step, target in
            product(
                inputs.take(step: step, inputRows(x, step), stride: geometry.inputs),
                into: target, stride: stride, adding: false)
        }
    }

    func inputRows(_ x: Tensor, _ step: Int) -> UnsafeMutablePointer<Float> {
        x.pointer + step * geometry.rows * geometry.inputs
    }

    /// Both biases as the gates need them: their sum, and for a GRU's n each by itself.
    private func combinedBias() -> Tensor {
        let bias = Tensor(zeros: [layout.columns])
        guard let biases = weights.biases else { return bias }
        let units = geometry.units
        let input = biases.input.value.pointer
        let hidden = biases.hidden.value.pointer
        if geometry.unit == .gru {
            rondo_sum(bias.pointer, input, hidden, 2 * units)
            (bias.pointer + 2 * units).update(from: input + 2 * units, count: units)
            (bias.pointer + 3 * units).update(from: hidden + 2 * units, count: units)
        } else {
            rondo_sum(bias.pointer, input, hidden, productColumns)
        }
        return bias
    }

    /// The hidden state after the last step, [N, H].
    func finalHidden() -> Tensor {
        let result = Tensor(uninitialized: [geometry.rows, geometry.units])
        let last = stepInOrder(geometry.activeSteps - 1)
        let source = hidden(last)
        for row in 0..<geometry.rows {
            (result.pointer + row * geometry.units).update(
                from: source + row * geometry.width, count: geometry.units)
        }
        return result
    }

    /// The cell after the last step, [N, H].
    func finalCell() -> Tensor {
        cells.slice(
            from: (weights.isReversed ? 0 : geometry.activeSteps) * stateCount,
            [geometry.rows, geometry.units]
        ).copied()
    }
}
