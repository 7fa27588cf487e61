import CKernels
import Kernels
import Tensors

/// One direction of one layer on its way through the steps: what forward leaves for backward.
final class RecurrentRun {
    private let geometry: RecurrentGeometry
    private let weights: RecurrentWeights
    /// The direction's number in the layer.
    let index: Int
    private let hasInitial: Bool
    /// [T + 2, N, D H], shared by the directions.
    private let states: Tensor
    /// [T N, G H]: G = 4 for LSTM and GRU, whose fourth column is the state's part of n. Activated gates
    /// after forward, gradients of the products after backward. For plain RNNs made in backward.
    private var gates: Tensor
    /// Which columns of `gates` belong to which rows of the hidden weight: a GRU's n has one gradient
    /// for the input's product (column 2 H) and one for the state's (column 3 H).
    private let hiddenParts: [(column: Int, row: Int, count: Int)]
    /// [T + 1, N, H] of an LSTM.
    private let cells: Tensor
    /// [N, H]: in backward the gradients of the states, in the end those of the initial ones.
    private(set) var carry = Tensor(uninitialized: [0])
    private(set) var cellCarry = Tensor(uninitialized: [0])

    init(
        _ geometry: RecurrentGeometry, weights: RecurrentWeights, index: Int, states: Tensor,
        initial: RecurrentState?
    ) {
        self.geometry = geometry
        self.weights = weights
        self.index = index
        self.states = states
        hasInitial = initial != nil
        let units = geometry.units
        hiddenParts =
            geometry.unit == .gru
            ? [(0, 0, 2 * units), (3 * units, 2 * units, units)]
            : [(0, 0, geometry.unit.productCount * units)]
        let stateShape: Shape = [geometry.rows, geometry.units]
        gates = Tensor(
            uninitialized: geometry.isGated
                ? [geometry.activeSteps * geometry.rows, 4 * geometry.units] : [0])
        cells = Tensor(
            uninitialized: geometry.unit == .lstm
                ? [geometry.activeSteps + 1, geometry.rows, geometry.units] : [0])
        precondition(
            initial.map {
                $0.hidden.shape == stateShape && ($0.cell != nil) == (geometry.unit == .lstm)
                    && ($0.cell?.shape ?? stateShape) == stateShape
            } ?? true, "\(geometry.unit): initial state is not \(stateShape)")
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

    private var column: Int { index * geometry.units }
    private var stateCount: Int { geometry.rows * geometry.units }
    private var initialRow: Int { weights.isReversed ? geometry.activeSteps + 1 : 0 }
    private var productColumns: Int { geometry.unit.productCount * geometry.units }
    private var gateColumns: Int { geometry.isGated ? 4 * geometry.units : geometry.units }

    private func hidden(_ step: Int) -> UnsafeMutablePointer<Float> {
        states.pointer + (step + 1) * geometry.rows * geometry.width + column
    }
    private func previous(_ step: Int) -> Int { weights.isReversed ? step + 1 : step - 1 }
    private func cell(_ step: Int) -> UnsafeMutablePointer<Float> {
        cells.pointer + (weights.isReversed ? step : step + 1) * stateCount
    }
    private func gate(_ step: Int) -> UnsafeMutablePointer<Float> {
        gates.pointer + step * geometry.rows * gateColumns
    }
    private func stepInOrder(_ position: Int) -> Int {
        weights.isReversed ? geometry.activeSteps - 1 - position : position
    }

    private func withStep(_ step: Int, _ body: (UnsafePointer<rondo_recurrent_step>) -> Void) {
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
        let allRows = geometry.activeSteps * geometry.rows
        let target = geometry.isGated ? gates.pointer : hidden(0)
        let targetStride = geometry.isGated ? gateColumns : geometry.width
        matrixProduct(
            x.pointer, weights.input.value.pointer, transposeB: true, into: target, m: allRows,
            n: productColumns, k: geometry.inputs, strideC: targetStride)
        let bias = combinedBias()
        let products = Tensor(
            uninitialized: geometry.unit == .gru ? [geometry.rows, productColumns] : [0])
        let product = RecurrentProduct(
            weights.hidden.value.pointer, isTransposed: true, rows: geometry.rows,
            columns: productColumns, inner: geometry.units, steps: geometry.activeSteps)
        for position in 0..<geometry.activeSteps {
            let step = stepInOrder(position)
            let before = hidden(previous(step))
            if geometry.unit == .gru {
                product(
                    before, stride: geometry.width, into: products.pointer,
                    stride: productColumns, adding: false)
            } else if position > 0 || hasInitial {
                product(
                    before, stride: geometry.width,
                    into: geometry.isGated ? gate(step) : hidden(step), stride: targetStride,
                    adding: true)
            }
            withStep(step) { native in
                switch geometry.unit {
                case .tanh, .relu:
                    rondo_rnn_step(
                        hidden(step), before, bias.pointer, geometry.unit == .relu, native)
                case .lstm:
                    rondo_lstm_step(
                        gate(step), cell(step), hidden(step), cell(previous(step)), before,
                        bias.pointer, native)
                case .gru:
                    rondo_gru_step(
                        gate(step), hidden(step), products.pointer, before, bias.pointer, native)
                }
            }
        }
    }

    /// Both biases as the gates need them: their sum, and for a GRU's n each by itself.
    private func combinedBias() -> Tensor {
        let bias = Tensor(zeros: [gateColumns])
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

    // MARK: Backward

    /// Adds this direction's gradients to the parameters and to dx (the first direction overwrites).
    func backward(_ x: Variable, _ arrived: ArrivedGradients, dx: Tensor?) {
        carry = start(arrived.hidden[index])
        if geometry.unit == .lstm { cellCarry = start(arrived.cell[index]) }
        arrived.hidden[index] = nil
        arrived.cell[index] = nil
        if !geometry.isGated {
            gates = Tensor(uninitialized: [geometry.activeSteps * geometry.rows, gateColumns])
        }
        let products = hiddenParts.map { part in
            RecurrentProduct(
                weights.hidden.value.pointer + part.row * geometry.units, isTransposed: false,
                rows: geometry.rows, columns: geometry.units, inner: part.count,
                steps: geometry.activeSteps)
        }
        for position in (0..<geometry.activeSteps).reversed() {
            let step = stepInOrder(position)
            gradientsOfGates(
                step,
                dy: arrived.output.map {
                    $0.pointer + step * geometry.rows * geometry.width + column
                })
            guard position > 0 || hasInitial else { continue }
            // carry += dP_t * Whh
            for (part, product) in zip(hiddenParts, products) {
                product(
                    gate(step) + part.column, stride: gateColumns, into: carry.pointer,
                    stride: geometry.units, adding: true)
            }
        }
        gradientsOfParameters(x)
        guard let dx else { return }
        matrixProduct(
            gates.pointer, weights.input.value.pointer, into: dx.pointer,
            m: geometry.activeSteps * geometry.rows, n: geometry.inputs, k: productColumns,
            beta: index == 0 ? 0 : 1, strideA: gateColumns)
    }

    private func start(_ gradient: Tensor?) -> Tensor {
        gradient?.copied() ?? Tensor(zeros: [geometry.rows, geometry.units])
    }

    private func gradientsOfGates(_ step: Int, dy: UnsafePointer<Float>?) {
        withStep(step) { native in
            switch geometry.unit {
            case .tanh, .relu:
                rondo_rnn_step_gradient(
                    gate(step), carry.pointer, dy, hidden(step), geometry.unit == .relu, native)
            case .lstm:
                rondo_lstm_step_gradient(
                    gate(step), carry.pointer, cellCarry.pointer, dy, cell(step),
                    cell(previous(step)), native)
            case .gru:
                rondo_gru_step_gradient(
                    gate(step), carry.pointer, dy, hidden(previous(step)), native)
            }
        }
    }

    private func gradientsOfParameters(_ x: Variable) {
        let allRows = geometry.activeSteps * geometry.rows
        x.tape.addGradient(to: weights.input) { gradient, beta in
            matrixProduct(
                gates.pointer, transposeA: true, x.value.pointer, into: gradient,
                m: productColumns, n: geometry.inputs, k: allRows, beta: beta,
                strideA: gateColumns)
        }
        x.tape.addGradient(to: weights.hidden) { gradient, beta in
            for part in hiddenParts {
                matrixProduct(
                    gates.pointer + part.column, transposeA: true, hidden(previous(0)),
                    into: gradient + part.row * geometry.units, m: part.count, n: geometry.units,
                    k: allRows, beta: beta, strideA: gateColumns, strideB: geometry.width)
            }
        }
        guard let biases = weights.biases else { return }
        let sums = Tensor(uninitialized: [gateColumns])
        rondo_column_sums(sums.pointer, gates.pointer, allRows, gateColumns, false)
        x.tape.addGradient(sums.pointer, count: productColumns, to: biases.input)
        if geometry.unit == .gru {
            let units = geometry.units
            (sums.pointer + 2 * units).update(from: sums.pointer + 3 * units, count: units)
        }
        x.tape.addGradient(sums.pointer, count: productColumns, to: biases.hidden)
    }
}

extension Tape {
    /// Adds `count` numbers, computed elsewhere, to the gradient of a parameter.
    func addGradient(_ sums: UnsafePointer<Float>, count: Int, to parameter: Parameter) {
        addGradient(to: parameter) { gradient, beta in
            if beta == 0 {
                gradient.update(from: sums, count: count)
            } else {
                rondo_add(gradient, sums, count)
            }
        }
    }
}
