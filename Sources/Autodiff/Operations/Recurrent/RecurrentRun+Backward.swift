import CKernels
import Kernels
import Tensors

extension RecurrentRun {
    /// Adds this direction's gradients to the parameters and to dx (the first direction
    /// overwrites).
    ///
    /// - Parameter x: the input; nil if its rows are looked up in a table.
    func backward(_ x: Tensor?, on tape: Tape, _ arrived: ArrivedGradients, dx: Tensor?) {
        carry = start(arrived.hidden[index])
        if geometry.unit == .lstm { cellCarry = start(arrived.cell[index]) }
        arrived.hidden[index] = nil
        arrived.cell[index] = nil
        if !geometry.isGated {
            gates = Tensor(uninitialized: [geometry.activeSteps * layout.stepCount])
        }
        // Holds a step's gradients before they go, in blocks, into the place of its gates.
        let rows = Tensor(
            uninitialized: layout.isBlocked ? [geometry.rows, layout.columns] : [0])
        let sums = Tensor(zeros: [layout.sumCount])
        let hiddenProducts = products(weights.hidden, layout.hiddenParts)
        let inputProducts =
            layout.isBlocked && dx != nil ? products(weights.input, layout.inputParts) : []
        tokens?.beginBackward()
        for position in (0..<geometry.activeSteps).reversed() {
            let step = stepInOrder(position)
            let gradients = layout.isBlocked ? rows.pointer : gate(step)
            gradientsOfGates(
                step, into: gradients,
                dy: arrived.output.map {
                    $0.pointer + step * geometry.rows * geometry.width + column
                })
            tokens?.collect(step: step, gradients: gradients, stride: layout.columns)
            if layout.isBlocked { layout.block(gradients, into: gate(step), sums: sums.pointer) }
            if let dx {
                for (number, (product, part)) in inputProducts.enumerated() {
                    product(
                        layout.operand(gate(step), part.segment), into: inputRows(dx, step),
                        stride: geometry.inputs, adding: index > 0 || number > 0)
                }
            }
            guard position > 0 || hasInitial else { continue }
            // carry += dP_t * Whh
            for (product, part) in hiddenProducts {
                product(
                    layout.operand(gate(step), part.segment), into: carry.pointer,
                    stride: geometry.units, adding: true)
            }
        }
        tokens?.addGradients(on: tape)
        if layout.isBlocked {
            addBlockedGradients(on: tape)
        } else {
            addGradients(x, on: tape, dx: dx)
            rondo_column_sums(
                sums.pointer, gates.pointer, geometry.activeSteps * geometry.rows, layout.columns,
                false)
        }
        guard let biases = weights.biases else { return }
        addGradient(of: biases.input, layout.inputParts, sums, on: tape)
        addGradient(of: biases.hidden, layout.hiddenParts, sums, on: tape)
    }

    private func start(_ gradient: Tensor?) -> Tensor {
        gradient?.copied() ?? Tensor(zeros: [geometry.rows, geometry.units])
    }

    private func products(
        _ weight: Parameter, _ parts: [RecurrentGates.Part]
    ) -> [(product: RecurrentProduct, part: RecurrentGates.Part)] {
        let columns = weight.shape[1]
        return parts.map { part in
            let product = RecurrentProduct(
                weight.value.pointer + part.row * columns, isTransposed: false,
                rows: geometry.rows, columns: columns, inner: part.segment.count,
                isBlocked: layout.isBlocked)
            return (product, part)
        }
    }

    private func gradientsOfGates(
        _ step: Int, into gradients: UnsafeMutablePointer<Float>, dy: UnsafePointer<Float>?
    ) {
        withStep(step) { native in
            switch geometry.unit {
            case .tanh, .relu:
                rondo_rnn_step_gradient(
                    gradients, carry.pointer, dy, hidden(step), geometry.unit == .relu, native)
            case .lstm:
                rondo_lstm_step_gradient(
                    gradients, gate(step), carry.pointer, cellCarry.pointer, dy,
                    squashedCell(step), cell(previous(step)), native)
            case .gru:
                rondo_gru_step_gradient(
                    gradients, gate(step), carry.pointer, dy, hidden(previous(step)), native)
            }
        }
    }

    // MARK: Weights and biases

    private func addBlockedGradients(on tape: Tape) {
        let steps = 0..<geometry.activeSteps
        if tokens == nil {
            addGradient(of: weights.input, layout.inputParts, inputs, steps, on: tape)
        }
        // An initial state of zeros has no part in the gradient.
        let first = stepInOrder(0)
        let later = first == 0 ? 1..<steps.count : 0..<first
        addGradient(
            of: weights.hidden, layout.hiddenParts, previousStates, hasInitial ? steps : later,
            on: tape)
    }

    private func addGradient(
        of weight: Parameter, _ parts: [RecurrentGates.Part], _ inputs: RecurrentInputs,
        _ steps: Range<Int>, on tape: Tape
    ) {
        let columns = weight.shape[1]
        tape.addGradient(to: weight) { gradient, beta in
            for part in parts {
                let first = layout.operand(gate(steps.lowerBound), part.segment).pointer
                rondo_blocked_outer(
                    Int64(Arithmetic.fusedWidth), gradient + part.row * columns, Int64(columns),
                    beta != 0,
                    rondo_blocked_steps(
                        first: first, stride: Int64(layout.stepCount),
                        columns: Int64(part.segment.count)),
                    inputs.steps(from: steps.lowerBound), Int64(geometry.rows),
                    Int64(steps.count))
            }
        }
    }

    /// Adds the gradients of the weights, and dx, from gradients of gates that lie row by row.
    private func addGradients(_ x: Tensor?, on tape: Tape, dx: Tensor?) {
        let allRows = geometry.activeSteps * geometry.rows
        func add(
            _ weight: Parameter, _ parts: [RecurrentGates.Part], _ left: UnsafePointer<Float>,
            stride: Int
        ) {
            let columns = weight.shape[1]
            tape.addGradient(to: weight) { gradient, beta in
                for part in parts {
                    matrixProduct(
                        gates.pointer + part.segment.column, transposeA: true, left,
                        into: gradient + part.row * columns, m: part.segment.count, n: columns,
                        k: allRows, beta: beta, strideA: layout.columns, strideB: stride)
                }
            }
        }
        add(weights.hidden, layout.hiddenParts, hidden(previous(0)), stride: geometry.width)
        guard tokens == nil, let x else { return }
        add(weights.input, layout.inputParts, x.pointer, stride: geometry.inputs)
        guard let dx else { return }
        matrixProduct(
            gates.pointer, weights.input.value.pointer, into: dx.pointer, m: allRows,
            n: geometry.inputs, k: productColumns, beta: index == 0 ? 0 : 1,
            strideA: layout.columns)
    }

    private func addGradient(
        of bias: Parameter, _ parts: [RecurrentGates.Part], _ sums: Tensor, on tape: Tape
    ) {
        tape.addGradient(to: bias) { gradient, beta in
            for part in parts {
                accumulate(
                    sums.pointer + part.segment.place, into: gradient + part.row, beta: beta,
                    count: part.segment.count)
            }
        }
    }
}
