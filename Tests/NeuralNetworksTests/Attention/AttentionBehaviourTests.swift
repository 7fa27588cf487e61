import Autodiff
import NeuralNetworks
import Tensors
import TestSupport
import Testing

@Suite struct AttentionBehaviourTests {
    /// Step by step through the cache, in pieces of several sizes: the numbers of the whole pass.
    @Test func cacheGivesTheNumbersOfTheWholePass() {
        var stream = InitializationStream(seed: 1)
        var shape = TransformerShape(width: 16, heads: 4, hidden: 24, activation: .gelu)
        shape.normFirst = true
        let layer = TransformerEncoderLayer(shape, stream: &stream)
        let decoder = TransformerDecoderLayer(shape, stream: &stream)
        let positions = SinusoidalPositions(20, 16)
        let x = drawn("x", [2, 9, 16])
        let memory = drawn("memory", [2, 5, 16])
        let tape = Tape(.evaluation)
        func steps(_ range: Range<Int>) -> Variable {
            let part = Tensor(uninitialized: [2, range.count, 16])
            for sample in 0..<2 {
                (part.pointer + sample * range.count * 16).update(
                    from: x.pointer + (sample * 9 + range.lowerBound) * 16,
                    count: range.count * 16)
            }
            return positions(tape.constant(part), first: range.lowerBound)
        }
        let remembered = tape.constant(memory)
        let projected = decoder.projectedMemory(remembered)
        let whole = [
            layer(steps(0..<9), mask: .causal).value,
            decoder(steps(0..<9), memory: remembered).value,
        ]
        let caches = (0..<2).map { _ in KeyValueCache(samples: 2, capacity: 12, width: 16) }
        for range in [0..<4, 4..<5, 5..<8, 8..<9] {
            let parts = [
                layer(steps(range), cache: caches[0]).value,
                decoder(steps(range), projectedMemory: projected, cache: caches[1]).value,
            ]
            for (part, all) in zip(parts, whole) {
                for sample in 0..<2 {
                    for index in 0..<range.count * 16 {
                        let a = part.pointer[sample * range.count * 16 + index]
                        let b = all.pointer[(sample * 9 + range.lowerBound) * 16 + index]
                        #expect(abs(a - b) < 2e-6)
                    }
                }
            }
        }
        #expect(caches[0].count == 9)
        caches[0].reorder([1, 1])
        let doubled = layer(steps(8..<9), cache: caches[0]).value
        #expect(doubled.shape == [2, 1, 16])
        caches[0].removeAll()
        #expect(caches[0].count == 0)
    }

    /// A batch too large for its probabilities to be kept has the bits of a small one.
    @Test func recomputedProbabilitiesHaveTheBitsOfKeptOnes() {
        func run(samples: Int) -> [Float] {
            let tape = Tape(GradientCheck.settings)
            let one = drawn("x", [1, 258, 12])
            let upstream = drawn("upstream", [1, 258, 4])
            let x = Tensor(uninitialized: [samples, 258, 12])
            let dy = Tensor(uninitialized: [samples, 258, 4])
            for sample in 0..<samples {
                (x.pointer + sample * one.count).update(from: one.pointer, count: one.count)
                (dy.pointer + sample * upstream.count).update(
                    from: upstream.pointer, count: upstream.count)
            }
            var gradient: [Float] = []
            let input = tape.input(x) { gradient = Array($0.scalars[..<one.count]) }
            let y = scaledDotProductAttention(
                queries: AttentionOperand(input), keys: AttentionOperand(input, firstColumn: 4),
                values: AttentionOperand(input, firstColumn: 8), heads: 1, headWidth: 4,
                mask: .causal, dropout: 0.1)
            let result = Array(y.value.scalars[..<upstream.count])
            tape.backward(from: y, upstream: dy)
            return result + gradient
        }
        // 258 x 272 floats of probabilities per sample: 16 of them are more than 2^20.
        #expect(run(samples: 1) == run(samples: 16))
    }

    /// With a single key the result is its value, whatever the scores.
    @Test func oneKeyGivesItsValue() {
        let tape = Tape(.evaluation)
        let operand = AttentionOperand(tape.constant(drawn("x", [3, 1, 8], scale: 50)))
        let y = scaledDotProductAttention(
            queries: operand, keys: operand, values: operand, heads: 2, headWidth: 4)
        #expect(y.value.scalars == operand.variable.value.scalars)
    }

    /// Dropped shares are as asked, backward knows the mask, and it depends on the pass alone.
    @Test func dropoutOfProbabilities() {
        func run(step: Int) -> (y: [Float], gradient: [Float]) {
            let tape = Tape(
                .training(seed: 9, step: step, replica: 0, microBatch: 0, sampleCount: 1))
            // Equal scores: probabilities 1 / 100; values one: y is the kept share.
            let queries = tape.constant(Tensor(zeros: [1, 100, 4]))
            var gradient: [Float] = []
            let values = tape.input(Tensor(repeating: 1, [1, 100, 4])) { gradient = $0.scalars }
            let y = scaledDotProductAttention(
                queries: AttentionOperand(queries), keys: AttentionOperand(queries),
                values: AttentionOperand(values), heads: 1, headWidth: 4, dropout: 0.25)
            let result = y.value.scalars
            tape.backward(from: y, upstream: Tensor(repeating: 1, y.shape))
            return (result, gradient)
        }
        let (y, gradient) = run(step: 3)
        let again = run(step: 3)
        #expect(y == again.y && gradient == again.gradient)
        #expect(y != run(step: 4).y)
        // 10,000 draws, kept share 0.75 scaled to 1, deviation 0.0058: six of them.
        #expect(abs(y.reduce(0, +) / 400 - 1) < 0.035)
        #expect(abs(gradient.reduce(0, +) - y.reduce(0, +)) < 1e-2)
    }

    /// A sample without keys has zeros as its result and no gradient, not a number that is none.
    @Test func withoutKeysTheResultIsZero() {
        let tape = Tape(GradientCheck.settings)
        var gradient: [Float] = []
        let x = tape.input(drawn("x", [2, 3, 12])) { gradient = $0.scalars }
        let y = scaledDotProductAttention(
            queries: AttentionOperand(x), keys: AttentionOperand(x, firstColumn: 4),
            values: AttentionOperand(x, firstColumn: 8), heads: 2, headWidth: 2,
            mask: AttentionMask(keyLengths: [0, 3]))
        #expect(y.value.scalars[..<12].allSatisfy { $0 == 0 })
        tape.backward(from: y, upstream: Tensor(repeating: 1, y.shape))
        #expect(gradient[..<36].allSatisfy { $0 == 0 })
        #expect(gradient[36...].contains { $0 != 0 })
    }

    /// Names and shapes of PyTorch's state_dict, in its order.
    @Test func namesArePyTorchs() {
        var stream = InitializationStream(seed: 1)
        let shape = TransformerShape(width: 8, heads: 2, hidden: 16)
        let encoder = parameters(TransformerEncoderLayer(shape, stream: &stream))
        #expect(
            encoder.map(\.name) == [
                "self_attn.in_proj_weight", "self_attn.in_proj_bias", "self_attn.out_proj.weight",
                "self_attn.out_proj.bias", "linear1.weight", "linear1.bias", "linear2.weight",
                "linear2.bias", "norm1.weight", "norm1.bias", "norm2.weight", "norm2.bias",
            ])
        let decoder = parameters(TransformerDecoderLayer(shape, stream: &stream)).map(\.name)
        #expect(decoder.count == 18)
        #expect(decoder.contains("multihead_attn.in_proj_weight"))
        let wide = MultiHeadAttention(8, heads: 2, keyWidth: 5, stream: &stream)
        #expect(
            parameters(wide).map(\.name) == [
                "q_proj_weight", "k_proj_weight", "v_proj_weight", "in_proj_bias",
                "out_proj.weight", "out_proj.bias",
            ])
    }
}
