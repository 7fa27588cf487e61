import Autodiff
import NeuralNetworks
import Tensors
import TestSupport
import Testing

/// A recurrent layer that reads rows of a table multiplies the table; the results are those of the
/// rows.
@Suite struct TokenLookupTests {
    private let symbols = 7, width = 5, units = 6, steps = 6, rows = 4

    private struct Run {
        var output: [Float]
        var gradients: [[Float]]
    }

    private func layer(
        _ unit: RecurrentUnit, bidirectional: Bool, batchFirst: Bool
    ) -> any RecurrentLayer {
        var stream = InitializationStream(seed: 21)
        let options = RecurrentOptions(bidirectional: bidirectional, batchFirst: batchFirst)
        switch unit {
        case .lstm: return LSTM(width, units, options: options, stream: &stream)
        case .gru: return GRU(width, units, options: options, stream: &stream)
        default: return RNN(width, units, options: options, stream: &stream)
        }
    }

    /// - Parameter asRows: whether the layer gets the rows as an operation's result, of which it
    ///   knows nothing.
    private func run(
        _ unit: RecurrentUnit, bidirectional: Bool, batchFirst: Bool, lengths: [Int32]?,
        asRows: Bool
    ) -> Run {
        var stream = InitializationStream(seed: 22)
        let table = Embedding(symbols, width, paddingIndex: 2, stream: &stream)
        let layer = layer(unit, bidirectional: bidirectional, batchFirst: batchFirst)
        let parameters = ([table, layer] as [any Module]).flatMap(\.namedStates).compactMap {
            if case .parameter(_, let value) = $0 { value } else { nil }
        }
        for parameter in parameters { parameter.attachGradient() }
        let tape = Tape(.training(seed: 1, step: 1, replica: 0, microBatch: 0, sampleCount: 1))
        let tokens = (0..<steps * rows).map { Int32($0 * $0 % symbols) }
        let shape: Shape = batchFirst ? [rows, steps] : [steps, rows]
        var x = table(tokens, shape: shape, tape: tape)
        if asRows { x = reshape(x, x.shape) }
        let result = layer(x, initial: nil, lengths: lengths)
        // The rows are used apart from the layer too.
        let loss = sum(result.output * result.output) + sum(x * x)
        tape.backward(from: loss)
        return Run(
            output: result.output.value.scalars,
            gradients: parameters.map { $0.gradient?.scalars ?? [] })
    }

    @Test(
        arguments: [RecurrentUnit.tanh, .lstm, .gru],
        [(false, false, nil), (false, true, nil), (true, false, [6, 5, 2, 1])]
            as [(Bool, Bool, [Int32]?)])
    func agreesWithTheRows(unit: RecurrentUnit, how: (Bool, Bool, [Int32]?)) {
        let (bidirectional, batchFirst, lengths) = how
        let runs = [false, true].map {
            run(
                unit, bidirectional: bidirectional, batchFirst: batchFirst, lengths: lengths,
                asRows: $0)
        }
        for (a, b) in zip(runs[0].output, runs[1].output) { #expect(abs(a - b) < 2e-6) }
        #expect(runs[0].gradients.count == runs[1].gradients.count)
        for (one, other) in zip(runs[0].gradients, runs[1].gradients) {
            #expect(!one.isEmpty && one.count == other.count)
            let largest = other.map(abs).max() ?? 0
            for (a, b) in zip(one, other) { #expect(abs(a - b) <= 5e-6 * max(1, largest)) }
        }
        // Padding collects no gradient, though the layer saw it.
        #expect(runs[0].gradients[0][2 * width..<3 * width].allSatisfy { $0 == 0 })
    }

    /// Twice in one pass the table's gradient is complete once, after both.
    @Test func completesTheTableOnce() {
        var stream = InitializationStream(seed: 23)
        let table = Embedding(symbols, width, stream: &stream)
        let layer = GRU(width, units, stream: &stream)
        table.weight.attachGradient()
        let tape = Tape(.training(seed: 1, step: 1, replica: 0, microBatch: 0, sampleCount: 1))
        var completions: [[Float]] = []
        tape.onGradientComplete = { [weight = table.weight] parameter in
            if parameter === weight { completions.append(weight.gradient?.scalars ?? []) }
        }
        let tokens = (0..<steps * rows).map { Int32($0 % symbols) }
        let outputs = (0..<2).map { _ in
            layer(table(tokens, shape: [steps, rows], tape: tape), initial: nil, lengths: nil)
        }
        tape.backward(from: sum(outputs[0].output * outputs[1].output))
        #expect(completions == [table.weight.gradient?.scalars ?? []])
    }
}
