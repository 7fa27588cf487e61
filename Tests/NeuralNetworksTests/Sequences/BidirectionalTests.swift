import Autodiff
import NeuralNetworks
import Tensors
import TestSupport
import Testing

/// Two layers side by side against the second direction that LSTM, GRU and RNN have of their own.
@Suite struct BidirectionalTests {
    private struct Run {
        var output: [Float] = []
        var final: [[Float]] = []
        /// Of the input, the initial states and the parameters, by their names in the fused layer.
        var gradients: [String: [Float]] = [:]
    }

    @Test(arguments: [nil, [3, 5, 0, 1], [5, 5, 5, 5]] as [[Int32]?])
    func equalsTheFusedLSTM(lengths: [Int32]?) {
        var stream = InitializationStream(seed: 1)
        let fused = LSTM(3, 4, options: .init(bidirectional: true), stream: &stream)
        let pair = Bidirectional(
            forward: LSTM(3, 4, stream: &stream), backward: LSTM(3, 4, stream: &stream))
        let names = parameters(pair).map(\.name)
        #expect(names.first == "forward.weight_ih_l0" && names.last == "backward.bias_hh_l0")
        let byName = Dictionary(
            uniqueKeysWithValues: parameters(fused).map { ($0.name, $0.parameter) })
        for (name, parameter) in parameters(pair) {
            guard let same = byName[fusedName(name)] else {
                Issue.record("\(name) is not in the fused layer")
                continue
            }
            parameter.value.pointer.update(from: same.value.pointer, count: same.shape.count)
        }
        let expected = run(fused, lengths)
        let computed = run(pair, lengths)
        #expect(isClose(computed.output, expected.output))
        #expect(computed.final.count == 4 && expected.final.count == 4)
        for (a, b) in zip(computed.final, expected.final) { #expect(isClose(a, b)) }
        #expect(Set(computed.gradients.keys) == Set(expected.gradients.keys))
        #expect(expected.gradients.count == 1 + 4 + 8)
        for (name, gradient) in expected.gradients {
            #expect(isClose(computed.gradients[name] ?? [], gradient), "\(name)")
        }
    }

    @Test func reversingTwiceZeroesThePadding() {
        var generator = SplitMix(seed: 3)
        let x = Tape(.evaluation).constant(generator.tensor([4, 3, 2]))
        let lengths: [Int32] = [2, 4, 0]
        let once = reversedSteps(x, lengths: lengths)
        // The second step of the first sequence comes first.
        #expect(
            once.value.slice(from: 0, [2]).scalars == x.value.slice(from: 6, [2]).scalars)
        #expect(
            reversedSteps(once, lengths: lengths).value.scalars
                == zeroPaddedSteps(x, lengths: lengths).value.scalars)
        #expect(reversedSteps(reversedSteps(x)).value.scalars == x.value.scalars)
    }

    private func run(_ layer: any RecurrentLayer, _ lengths: [Int32]?) -> Run {
        var generator = SplitMix(seed: 2)
        let (steps, rows) = (5, 4)
        let x = generator.tensor([steps, rows, 3])
        for (row, length) in (lengths ?? []).enumerated() {
            for step in Int(length)..<steps {
                // Nothing of the padding may be read.
                (x.pointer + (step * rows + row) * 3).update(repeating: 1e6, count: 3)
            }
        }
        for (_, parameter) in parameters(layer) { parameter.attachGradient() }
        let tape = Tape(
            .training(seed: 3, step: 1, replica: 0, microBatch: 0, sampleCount: 1))
        var run = Run()
        func input(_ name: String, _ value: Tensor) -> Variable {
            tape.input(value) { run.gradients[name] = $0.scalars }
        }
        let initial = ["forward", "backward"].map { name in
            RecurrentState(
                hidden: input("\(name).h", generator.tensor([rows, 4])),
                cell: input("\(name).c", generator.tensor([rows, 4])))
        }
        let result = layer(input("x", x), initial: initial, lengths: lengths)
        for state in result.final {
            for value in [state.hidden, state.cell].compactMap({ $0 }) {
                run.final.append(value.value.scalars)
                tape.addGradient(generator.tensor(value.shape), to: value)
            }
        }
        run.output = result.output.value.scalars
        tape.backward(from: result.output, upstream: generator.tensor(result.output.shape))
        for (name, parameter) in parameters(layer) {
            run.gradients[fusedName(name)] = parameter.gradient?.scalars
        }
        return run
    }

    /// backward.weight_ih_l0 -> weight_ih_l0_reverse
    private func fusedName(_ name: String) -> String {
        if name.hasPrefix("backward.") { return name.dropFirst(9) + "_reverse" }
        return String(name.hasPrefix("forward.") ? name.dropFirst(8) : name[...])
    }

    private func parameters(_ module: any Module) -> [(name: String, parameter: Parameter)] {
        module.namedStates.compactMap {
            if case .parameter(let name, let value) = $0 { (name, value) } else { nil }
        }
    }

    /// Products over both directions may add up in another order.
    private func isClose(_ a: [Float], _ b: [Float]) -> Bool {
        a.count == b.count && zip(a, b).allSatisfy { abs($0 - $1) <= 1e-5 + 1e-5 * abs($1) }
    }
}
