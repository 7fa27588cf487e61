import Autodiff
import NeuralNetworks
import Tensors
import TestSupport
import Testing

/// Central differences where there is no reference: dropout, biases, layouts, shared variables.
@Suite struct AttentionGradientTests {
    private let check = GradientCheck()

    private func packed(
        _ x: Variable, heads: Int, mask: AttentionMask = .none, dropout: Float = 0
    ) -> Variable {
        let width = x.shape[2] / 3
        return scaledDotProductAttention(
            queries: AttentionOperand(x), keys: AttentionOperand(x, firstColumn: width),
            values: AttentionOperand(x, firstColumn: 2 * width), heads: heads,
            headWidth: width / heads, mask: mask, dropout: dropout)
    }

    @Test func masksAndDropout() {
        var generator = SplitMix(seed: 1)
        let x = generator.tensor([2, 5, 24])
        check.expectRight(inputs: [x]) { packed($0[0], heads: 2) }
        check.expectRight(inputs: [x]) { packed($0[0], heads: 4, mask: .causal) }
        check.expectRight(inputs: [x]) { packed($0[0], heads: 2, dropout: 0.3) }
        check.expectRight(inputs: [x]) {
            packed(
                $0[0], heads: 2, mask: AttentionMask(isCausal: true, keyLengths: [3, 0]),
                dropout: 0.3)
        }
        var bias = generator.tensor([1, 2, 5, 5]).scalars
        for index in [3, 7, 20, 44] { bias[index] = -.infinity }
        let mask = AttentionMask(bias: Tensor(bias, [1, 2, 5, 5]))
        check.expectRight(inputs: [x]) { packed($0[0], heads: 2, mask: mask) }
    }

    /// Queries, keys and values of one variable and the same columns: three gradients are added.
    @Test func sharedColumns() {
        var generator = SplitMix(seed: 2)
        let x = generator.tensor([2, 4, 6])
        check.expectRight(inputs: [x]) {
            let operand = AttentionOperand($0[0])
            return scaledDotProductAttention(
                queries: operand, keys: operand, values: operand, heads: 1, headWidth: 6)
        }
        let dot = MultiplicativeAttention()
        check.expectRight(inputs: [generator.tensor([2, 3, 6]), x]) { dot($0[0], keys: $0[1]) }
    }

    /// The same numbers whether time or the sample comes first, for results and gradients.
    @Test func layoutsAgree() {
        func exchanged(_ x: Tensor) -> Tensor {
            let (a, b, c) = (x.shape[0], x.shape[1], x.shape[2])
            let y = Tensor(uninitialized: [b, a, c])
            for i in 0..<a {
                for j in 0..<b {
                    (y.pointer + (j * a + i) * c).update(
                        from: x.pointer + (i * b + j) * c, count: c)
                }
            }
            return y
        }
        var stream = InitializationStream(seed: 3)
        let additive = AdditiveAttention(queryWidth: 5, keyWidth: 6, hidden: 7, stream: &stream)
        let general = MultiplicativeAttention(queryWidth: 5, keyWidth: 6, stream: &stream)
        let queries = drawn("queries", [2, 3, 5])
        let keys = drawn("keys", [2, 4, 6])
        let upstream = drawn("upstream", [2, 3, 6])
        for isAdditive in [true, false] {
            func run(_ layout: SequenceLayout) -> [[Float]] {
                let tape = Tape(GradientCheck.settings)
                func laid(_ x: Tensor) -> Tensor { layout == .batchFirst ? x : exchanged(x) }
                var results: [Int: [Float]] = [:]
                let q = tape.input(laid(queries)) { results[1] = laid($0).scalars }
                let k = tape.input(laid(keys)) { results[2] = laid($0).scalars }
                let y =
                    isAdditive
                    ? additive(q, keys: k, keyLengths: [4, 2], layouts: (layout, layout))
                    : general(q, keys: k, keyLengths: [4, 2], layouts: (layout, layout))
                results[0] = laid(y.value).scalars
                tape.backward(from: y, upstream: laid(upstream))
                return [0, 1, 2].compactMap { results[$0] }
            }
            // Products with other strides may round in another order.
            let (batch, time) = (run(.batchFirst), run(.timeFirst))
            #expect(batch.count == 3)
            for (a, b) in zip(batch, time) {
                #expect(zip(a, b).allSatisfy { abs($0 - $1) < 1e-6 })
            }
        }
    }

    @Test func additiveWithPadding() {
        var stream = InitializationStream(seed: 4)
        let layer = AdditiveAttention(queryWidth: 3, keyWidth: 4, hidden: 5, stream: &stream)
        var generator = SplitMix(seed: 5)
        check.expectRight(
            inputs: [generator.tensor([2, 2, 3]), generator.tensor([2, 3, 4])],
            parameters: parameters(layer).map(\.parameter)
        ) { layer($0[0], keys: $0[1], keyLengths: [3, 1]) }
    }

    /// With dropout everywhere; the mask is a function of the pass.
    @Test func transformerWithDropout() {
        var stream = InitializationStream(seed: 6)
        let shape = TransformerShape(
            width: 8, heads: 2, hidden: 12, dropout: 0.2, activation: .gelu, normFirst: true)
        let layer = TransformerEncoderLayer(shape, stream: &stream)
        var generator = SplitMix(seed: 7)
        check.expectRight(
            inputs: [generator.tensor([2, 4, 8])], parameters: parameters(layer).map(\.parameter)
        ) { layer($0[0], mask: .causal) }
    }
}
