import Autodiff
import NeuralNetworks
import Tensors
import TestSupport
import Testing

@Suite struct CheckpointedSegmentTests {
    private struct Stack: Module {
        let layers: [TransformerEncoderLayer]
        let norm: BatchNorm
        let shared: Linear
    }

    private struct Outcome: Equatable {
        var y: [Float] = []
        var input: [Float] = []
        var parameters: [[Float]] = []
        var statistics: [[Float]] = []
        var completed: [Int] = []
        var seen: [String] = []
    }

    private func run(checkpointing: Bool) -> Outcome {
        var stream = InitializationStream(seed: 1)
        var shape = TransformerShape(width: 8, heads: 2, hidden: 12, dropout: 0.3)
        shape.normFirst = true
        let stack = Stack(
            layers: (0..<2).map { _ in TransformerEncoderLayer(shape, stream: &stream) },
            norm: BatchNorm(8), shared: Linear(8, 8, stream: &stream))
        let store = ParameterStore(adopting: stack)
        let gradients = Tensor(zeros: [store.gradientCount])
        store.bindGradients(to: gradients)
        var outcome = Outcome()
        let tape = Tape(GradientCheck.settings)
        tape.hooks = ActivationHooks(
            onValue: { name, _ in outcome.seen.append("value \(name)") },
            onGradient: { name, gradient in
                outcome.seen.append("gradient \(name) \(gradient.shape)")
            })
        tape.onGradientComplete = { outcome.completed.append($0.index) }
        func segment(_ layer: TransformerEncoderLayer, _ name: String) -> (Variable) -> Variable {
            { x in observed(stack.shared(stack.norm(layer(x, mask: .causal))), as: name) }
        }
        var x = tape.input(drawn("x", [2, 4, 8])) { outcome.input = $0.scalars }
        x = dropout(x, probability: 0.1)
        for (index, layer) in stack.layers.enumerated() {
            let body = segment(layer, "segment \(index)")
            x = checkpointing ? checkpointed(x, body) : body(x)
        }
        // Random numbers after the segments are the same, too.
        x = dropout(stack.shared(x), probability: 0.5)
        outcome.y = x.value.scalars
        tape.backward(from: x, upstream: drawn("upstream", x.shape))
        outcome.parameters = store.parameterSlots.map {
            gradients.slice(from: $0.offset, $0.shape).scalars
        }
        outcome.statistics = store.statisticSlots.map {
            gradients.slice(from: store.values.count + $0.offset, $0.shape).scalars
        }
        return outcome
    }

    /// Bit for bit, with dropout, batch statistics, a shared parameter and hooks.
    @Test func equalsThePassThatKeepsEverything() {
        let kept = run(checkpointing: false)
        let repeated = run(checkpointing: true)
        #expect(kept.y == repeated.y)
        #expect(kept.input == repeated.input)
        #expect(kept.parameters == repeated.parameters)
        #expect(kept.statistics == repeated.statistics)
        #expect(kept.seen == repeated.seen)
        #expect(
            kept.seen == [
                "value segment 0", "value segment 1", "gradient segment 1 2x4x8",
                "gradient segment 0 2x4x8",
            ])
        // Each parameter is complete once, those of the last segment first, the shared ones at the
        // end.
        #expect(kept.completed.sorted() == repeated.completed.sorted())
        #expect(Set(repeated.completed).count == repeated.completed.count)
        let half = 12
        #expect(repeated.completed.prefix(half).allSatisfy { half..<2 * half ~= $0 })
    }

    /// Segments within a segment.
    @Test func segmentsNest() {
        let weight = Parameter(drawn("weight", [4, 4]))
        func run(_ nested: Bool) -> [[Float]] {
            weight.attachGradient()
            let tape = Tape(GradientCheck.settings)
            var input: [Float] = []
            let x = tape.input(drawn("x", [3, 4])) { input = $0.scalars }
            func layer(_ x: Variable) -> Variable {
                dropout(tanh(linear(x, weight: weight, bias: nil)), probability: 0.2)
            }
            let y =
                nested
                ? checkpointed(x) { checkpointed(layer(checkpointed($0, layer)), layer) }
                : layer(layer(layer(x)))
            tape.backward(from: y, upstream: drawn("upstream", [3, 4]))
            return [input, weight.gradient?.scalars ?? []]
        }
        #expect(run(true) == run(false))
    }

    @Test func nothingIsRecordedWithoutGradients() {
        let weight = Parameter(drawn("weight", [4, 4]))
        let tape = Tape(GradientCheck.settings)
        let x = tape.input(drawn("x", [3, 4])) { _ in }
        let y = tape.withoutGradients { linear(x, weight: weight, bias: nil) }
        #expect(!y.isDifferentiated)
        #expect(linear(x, weight: weight, bias: nil).isDifferentiated)
    }
}
