import Autodiff
import NeuralNetworks
import Tensors
import TestSupport
import Testing

/// What must hold without a reference.
@Suite struct SequencePropertyTests {
    private func tape() -> Tape {
        Tape(.training(seed: 3, step: 1, replica: 0, microBatch: 0, sampleCount: 1))
    }

    /// Forget gate open, input gate shut: the cell is carried through; output gate open: h =
    /// tanh(c).
    @Test func saturatedGatesCopyTheCell() {
        var stream = InitializationStream(seed: 1)
        let units = 5
        let lstm = LSTM(3, units, stream: &stream)
        for case .parameter(let name, let parameter) in lstm.namedStates {
            parameter.value.pointer.update(repeating: 0, count: parameter.shape.count)
            guard name == "bias_ih_l0" else { continue }
            for (gate, bias) in [-200, 200, 0, 200].enumerated() {
                (parameter.value.pointer + gate * units).update(
                    repeating: Float(bias), count: units)
            }
        }
        var generator = SplitMix(seed: 2)
        let cell = generator.tensor([2, units])
        let tape = tape()
        let state = RecurrentState(
            hidden: tape.constant(generator.tensor([2, units])), cell: tape.constant(cell))
        let x = tape.constant(generator.tensor([9, 2, 3]))
        let result = lstm(x, initial: [state], lengths: nil)
        #expect(result.final[0].cell?.value.scalars == cell.scalars)
        #expect(
            result.output.value.slice(from: 0, [2, units]).scalars
                == tanh(tape.constant(cell)).value.scalars)
    }

    /// Update gate of one: a GRU keeps its state.
    @Test func saturatedGateKeepsTheStateOfAGRU() {
        var stream = InitializationStream(seed: 1)
        let gru = GRU(3, 4, stream: &stream)
        for case .parameter(let name, let parameter) in gru.namedStates where name == "bias_ih_l0" {
            (parameter.value.pointer + 4).update(repeating: 200, count: 4)
        }
        var generator = SplitMix(seed: 3)
        let hidden = generator.tensor([2, 4])
        let tape = tape()
        let result = gru(
            tape.constant(generator.tensor([6, 2, 3])),
            initial: [RecurrentState(hidden: tape.constant(hidden))], lengths: nil)
        // 1 - 1 / (1 + exp(-200)) is 0 in Float, but n + 1 * (h - n) rounds twice.
        for (a, b) in zip(result.final[0].hidden.value.scalars, hidden.scalars) {
            #expect(abs(a - b) <= 2e-7)
        }
    }

    @Test(arguments: [RecurrentUnit.tanh, .relu, .lstm, .gru])
    func bidirectionalIsTwoRuns(unit: RecurrentUnit) {
        var generator = SplitMix(seed: 4)
        let (steps, rows, inputs, units) = (5, 2, 3, 4)
        let forward = weights(unit, inputs, units, &generator)
        let backward = weights(unit, inputs, units, &generator, isReversed: true)
        let x = generator.tensor([steps, rows, inputs])
        let tape = tape()
        let both = recurrentSequence(
            tape.constant(x), unit: unit, directions: [forward, backward])
        let one = recurrentSequence(tape.constant(x), unit: unit, directions: [forward])
        // The second direction is a forward run over the steps in reverse order.
        let plain = RecurrentWeights(
            input: backward.input, hidden: backward.hidden, biases: backward.biases)
        let two = recurrentSequence(
            tape.constant(reversedSteps(x)), unit: unit, directions: [plain])
        let second = reversedSteps(two.output.value)
        for step in 0..<steps {
            for row in 0..<rows {
                let line = both.output.value.slice(
                    from: (step * rows + row) * 2 * units, [2 * units]
                ).scalars
                let place = (step * rows + row) * units
                #expect(
                    Array(line[..<units])
                        == one.output.value.slice(from: place, [units]).scalars)
                #expect(Array(line[units...]) == second.slice(from: place, [units]).scalars)
            }
        }
        #expect(both.final[0].hidden.value.scalars == one.final[0].hidden.value.scalars)
        #expect(both.final[1].hidden.value.scalars == two.final[0].hidden.value.scalars)
        #expect(both.final[1].cell?.value.scalars == two.final[0].cell?.value.scalars)
    }

    /// A batch of unequal lengths gives what each sequence gives by itself, whatever the padding
    /// holds.
    @Test(arguments: [RecurrentUnit.tanh, .relu, .lstm, .gru], [false, true])
    func lengthsAreSeparateRuns(unit: RecurrentUnit, bidirectional: Bool) {
        var generator = SplitMix(seed: 5)
        let lengths: [Int32] = [3, 5, 0, 1]
        let (steps, rows, inputs, units) = (6, 4, 3, 4)
        var directions = [weights(unit, inputs, units, &generator)]
        if bidirectional {
            directions.append(weights(unit, inputs, units, &generator, isReversed: true))
        }
        let width = directions.count * units
        let x = generator.tensor([steps, rows, inputs])
        for (row, length) in lengths.enumerated() {
            for step in Int(length)..<steps {
                (x.pointer + (step * rows + row) * inputs).update(
                    repeating: 1e6, count: inputs)
            }
        }
        let upstream = generator.tensor([steps, rows, width])
        let batch = run(x, unit, directions, lengths: lengths, upstream: upstream)
        var sums = batch.parameters.map { $0.map { _ in Float(0) } }
        for (row, length) in lengths.enumerated() {
            let alone = run(
                part(x, row, Int(length)), unit, directions, lengths: nil,
                upstream: part(upstream, row, Int(length)))
            #expect(
                isClose(part(batch.output, row, Int(length)).scalars, alone.output.scalars))
            #expect(isClose(part(batch.dx, row, Int(length)).scalars, alone.dx.scalars))
            for (index, gradient) in alone.parameters.enumerated() {
                for element in gradient.indices { sums[index][element] += gradient[element] }
            }
            for (a, b) in zip(batch.final, alone.final) {
                #expect(isClose(a.slice(from: row * units, [units]).scalars, b.scalars))
            }
            for step in Int(length)..<steps {
                let place = step * rows + row
                #expect(
                    batch.output.slice(from: place * width, [width]).scalars
                        .allSatisfy { $0 == 0 })
                #expect(
                    batch.dx.slice(from: place * inputs, [inputs]).scalars.allSatisfy { $0 == 0 })
            }
        }
        for (a, b) in zip(batch.parameters, sums) { #expect(isClose(a, b)) }
    }

    @Test func initialStateContinuesARun() {
        var stream = InitializationStream(seed: 6)
        var generator = SplitMix(seed: 6)
        let lstm = LSTM(3, 4, options: .init(layers: 2), stream: &stream)
        let x = generator.tensor([6, 2, 3])
        let tape = tape()
        let whole = lstm(tape.constant(x), initial: nil, lengths: nil)
        let first = lstm(
            tape.constant(x.slice(from: 0, [2, 2, 3])), initial: nil, lengths: nil)
        let second = lstm(
            tape.constant(x.slice(from: 12, [4, 2, 3])), initial: first.final, lengths: nil)
        #expect(
            isClose(
                first.output.value.scalars + second.output.value.scalars,
                whole.output.value.scalars))
        // A cell repeats the layer step by step, with the same parameters.
        let cell = LSTMCell(3, 4, stream: &stream)
        let single = LSTM(3, 4, stream: &stream)
        for (from, to) in zip(cell.namedStates, single.namedStates) {
            guard case .parameter(_, let a) = from, case .parameter(_, let b) = to else { continue }
            b.value.pointer.update(from: a.value.pointer, count: a.shape.count)
        }
        var state: RecurrentState?
        for step in 0..<6 { state = cell(tape.constant(x.slice(from: step * 6, [2, 3])), state) }
        let end = single(tape.constant(x), initial: nil, lengths: nil).final[0]
        #expect(isClose(state?.hidden.value.scalars ?? [], end.hidden.value.scalars))
    }

    /// The same inputs give the same bits, in memory that has been used before.
    @Test func runsRepeatBitForBit() throws {
        for reference in try ReferenceCase.all() {
            let first = try ReferenceLayer(reference).run(reference)
            let second = try ReferenceLayer(reference).run(reference)
            #expect(first == second, "\(reference.name)")
        }
    }

    @Test func dropoutActsBetweenLayersOnly() {
        var generator = SplitMix(seed: 7)
        let x = generator.tensor([3, 2, 4])
        func outputs(layers: Int, training: Bool) -> ([Float], [Float]) {
            var one = InitializationStream(seed: 8)
            var two = one
            let plain = GRU(4, 4, options: .init(layers: layers), stream: &one)
            let dropping = GRU(4, 4, options: .init(layers: layers, dropout: 0.5), stream: &two)
            let tape = training ? tape() : Tape(.evaluation)
            return (
                plain(tape.constant(x)).value.scalars, dropping(tape.constant(x)).value.scalars
            )
        }
        var pair = outputs(layers: 1, training: true)
        #expect(pair.0 == pair.1)
        pair = outputs(layers: 2, training: false)
        #expect(pair.0 == pair.1)
        pair = outputs(layers: 2, training: true)
        #expect(pair.0 != pair.1)
    }

    /// <conv(a), b> = <a, transposed conv(b)>, which needs no reference.
    @Test func transposedConvolutionIsTheAdjoint() {
        var generator = SplitMix(seed: 10)
        let weight = Parameter(generator.tensor([3, 2, 3, 3]))
        let a = generator.tensor([2, 8, 7, 2])
        let b = generator.tensor([2, 4, 4, 3])
        let tape = Tape(.evaluation)
        let forward = convolution2d(
            tape.constant(a), weight: weight, bias: nil, stride: .init(2), padding: .init(1))
        let adjoint = transposedConvolution2d(
            tape.constant(b), weight: weight, bias: nil, stride: .init(2), padding: .init(1),
            outputPadding: .init(1, 0))
        #expect(forward.shape == b.shape && adjoint.shape == a.shape)
        func product(_ x: Tensor, _ y: Tensor) -> Double {
            zip(x.scalars, y.scalars).reduce(0) { $0 + Double($1.0) * Double($1.1) }
        }
        #expect(abs(product(forward.value, b) - product(a, adjoint.value)) < 1e-4)
    }

    @Test func embeddingPaddingStartsAsZeros() {
        var stream = InitializationStream(seed: 11)
        let layer = Embedding(500, 40, paddingIndex: 3, stream: &stream)
        let rows = layer.weight.value.scalars
        #expect(rows[120..<160].allSatisfy { $0 == 0 })
        let squares = rows.reduce(0) { $0 + Double($1) * Double($1) } / (499 * 40)
        // 19,960 values: the standard error of the mean square is 0.01.
        #expect(abs(squares - 1) < 0.05)
    }

    // MARK: Pieces

    private func weights(
        _ unit: RecurrentUnit, _ inputs: Int, _ units: Int, _ generator: inout SplitMix,
        isReversed: Bool = false
    ) -> RecurrentWeights {
        let products = unit.productCount * units
        return RecurrentWeights(
            input: Parameter(generator.tensor([products, inputs])),
            hidden: Parameter(generator.tensor([products, units], -0.5...0.5)),
            biases: (
                Parameter(generator.tensor([products])), Parameter(generator.tensor([products]))
            ), isReversed: isReversed)
    }

    private struct Run {
        let output: Tensor, dx: Tensor
        let final: [Tensor]
        let parameters: [[Float]]
    }

    private func run(
        _ x: Tensor, _ unit: RecurrentUnit, _ directions: [RecurrentWeights], lengths: [Int32]?,
        upstream: Tensor
    ) -> Run {
        let parameters = directions.flatMap {
            [$0.input, $0.hidden] + ($0.biases.map { [$0.input, $0.hidden] } ?? [])
        }
        for parameter in parameters { parameter.attachGradient() }
        let tape = tape()
        var dx = Tensor(zeros: x.shape)
        let result = recurrentSequence(
            tape.input(x) { dx = $0 }, unit: unit, directions: directions, lengths: lengths)
        let final = result.final.flatMap { [$0.hidden] + ($0.cell.map { [$0] } ?? []) }
        for state in final {
            tape.addGradient(Tensor(repeating: 0.5, state.shape), to: state)
        }
        tape.backward(from: result.output, upstream: upstream)
        return Run(
            output: result.output.value, dx: dx, final: final.map(\.value),
            parameters: parameters.map { $0.gradient?.scalars ?? [] })
    }

    private func reversedSteps(_ x: Tensor) -> Tensor {
        let step = x.count / x.shape[0]
        let scalars = x.scalars
        return Tensor(
            (0..<x.shape[0]).reversed().flatMap { scalars[$0 * step..<($0 + 1) * step] }, x.shape)
    }

    /// The first `length` steps of one sequence.
    private func part(_ x: Tensor, _ row: Int, _ length: Int) -> Tensor {
        let (rows, width) = (x.shape[1], x.shape[2])
        return Tensor(
            (0..<length).flatMap { x.slice(from: ($0 * rows + row) * width, [width]).scalars },
            [length, 1, width])
    }

    /// Products over another number of rows may add up in another order.
    private func isClose(_ a: [Float], _ b: [Float]) -> Bool {
        a.count == b.count && zip(a, b).allSatisfy { abs($0 - $1) <= 1e-5 + 1e-5 * abs($1) }
    }
}
