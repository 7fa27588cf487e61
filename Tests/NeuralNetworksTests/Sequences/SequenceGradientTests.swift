import Autodiff
import Kernels
import NeuralNetworks
import Tensors
import TestSupport
import Testing

/// Every operation of this family by central differences.
@Suite struct SequenceGradientTests {
    private let check = GradientCheck()

    private func parameters(_ module: any Module) -> [Parameter] {
        module.namedStates.compactMap {
            if case .parameter(_, let value) = $0 { value } else { nil }
        }
    }

    @Test(arguments: [RecurrentUnit.tanh, .lstm, .gru], [false, true])
    func recurrentLayers(unit: RecurrentUnit, bidirectional: Bool) {
        var stream = InitializationStream(seed: 1)
        var generator = SplitMix(seed: 1)
        let options = RecurrentOptions(layers: 2, bidirectional: bidirectional, dropout: 0.3)
        let layer: any RecurrentLayer =
            switch unit {
            case .lstm: LSTM(3, 4, options: options, stream: &stream)
            case .gru: GRU(3, 4, options: options, stream: &stream)
            default: RNN(3, 4, options: options, stream: &stream)
            }
        let states = (0..<layer.stateCount * (unit == .lstm ? 2 : 1)).map { _ in
            generator.tensor([3, 4])
        }
        check.expectRight(
            inputs: [generator.tensor([4, 3, 3])] + states, parameters: parameters(layer)
        ) { inputs in
            let initial = (0..<layer.stateCount).map {
                RecurrentState(
                    hidden: inputs[1 + $0],
                    cell: unit == .lstm ? inputs[1 + layer.stateCount + $0] : nil)
            }
            return layer(inputs[0], initial: initial, lengths: [4, 2, 3]).output
        }
    }

    /// The final state alone, without the output, wakes the layer too.
    @Test func finalStateAlone() {
        var stream = InitializationStream(seed: 2)
        var generator = SplitMix(seed: 2)
        let layer = LSTM(3, 4, stream: &stream)
        check.expectRight(
            inputs: [generator.tensor([3, 2, 3])], parameters: parameters(layer)
        ) { layer($0[0], initial: nil, lengths: [3, 1]).final[0].hidden }
        check.expectRight(
            inputs: [generator.tensor([3, 2, 3])], parameters: parameters(layer)
        ) { layer($0[0], initial: nil, lengths: nil).final[0].cell! }
    }

    @Test func skips() {
        var stream = InitializationStream(seed: 3)
        var generator = SplitMix(seed: 3)
        let layers = [GRU(3, 4, stream: &stream), GRU(4, 4, stream: &stream)]
        let x = generator.tensor([2, 3, 3])
        for layer: any RecurrentLayer in [
            ResidualRecurrent(layers, dropout: 0.2, batchFirst: true),
            HighwayRecurrent(layers, dropout: 0.2, batchFirst: true, stream: &stream),
        ] {
            check.expectRight(inputs: [x], parameters: parameters(layer)) {
                layer($0[0], initial: nil, lengths: [3, 2]).output
            }
        }
        let operands = (0..<3).map { _ in generator.tensor([2, 5]) }
        check.expectRight(inputs: operands) {
            highway($0[0], transformed: $0[1], gateLogits: $0[2])
        }
    }

    @Test func bidirectionalOfStacks() {
        var stream = InitializationStream(seed: 8)
        var generator = SplitMix(seed: 8)
        let layer = Bidirectional(
            forward: ResidualRecurrent([GRU(3, 4, stream: &stream), GRU(4, 4, stream: &stream)]),
            backward: LSTM(3, 5, stream: &stream), batchFirst: true)
        #expect(layer.stateCount == 3 && layer.outputFeatures == 9)
        let states = [4, 4, 5, 5].map { generator.tensor([3, $0]) }
        for lengths: [Int32]? in [nil, [4, 2, 3]] {
            check.expectRight(
                inputs: [generator.tensor([3, 4, 3])] + states, parameters: parameters(layer)
            ) { inputs in
                let initial = [
                    RecurrentState(hidden: inputs[1]), RecurrentState(hidden: inputs[2]),
                    RecurrentState(hidden: inputs[3], cell: inputs[4]),
                ]
                return layer(inputs[0], initial: initial, lengths: lengths).output
            }
        }
    }

    @Test func layout() {
        var generator = SplitMix(seed: 4)
        let x = generator.tensor([3, 2, 4])
        check.expectRight(inputs: [x]) { swapLeadingDimensions($0[0]) }
        check.expectRight(inputs: [x]) { zeroPaddedSteps($0[0], lengths: [1, 3]) }
        check.expectRight(inputs: [x]) { reversedSteps($0[0]) }
        check.expectRight(inputs: [x]) { reversedSteps($0[0], lengths: [0, 2]) }
    }

    @Test func normalisations() {
        var generator = SplitMix(seed: 5)
        let x = generator.tensor([3, 2, 18])
        let scaled = LayerNorm([2, 18])
        check.expectRight(inputs: [x], parameters: parameters(scaled)) { scaled($0[0]) }
        let plain = LayerNorm([18], scaling: false)
        check.expectRight(inputs: [x]) { plain($0[0]) }
        let weight = Parameter(generator.tensor([6]))
        let bias = Parameter(generator.tensor([6]))
        for groups in [1, 2, 6] {
            check.expectRight(
                inputs: [generator.tensor([2, 3, 4, 6])], parameters: [weight, bias]
            ) { groupNormalization($0[0], groups: groups, weight: weight, bias: bias) }
        }
    }

    @Test func embeddings() {
        var generator = SplitMix(seed: 6)
        let weight = Parameter(generator.tensor([5, 3]))
        check.expectRight(
            inputs: [generator.tensor([2, 2, 3])], parameters: [weight]
        ) {
            // Twice: the second contribution adds to the first.
            let tokens: [Int32] = [4, 0, 0, 2]
            let tape = $0[0].tape
            let first = embedding(tokens, shape: [2, 2], weight: weight, tape: tape)
            let second = embedding(tokens.reversed(), shape: [2, 2], weight: weight, tape: tape)
            return add(add(first, tanh(second)), $0[0])
        }
    }

    @Test func convolutions() {
        var generator = SplitMix(seed: 7)
        let weight = Parameter(generator.tensor([4, 2, 3]))
        let bias = Parameter(generator.tensor([4]))
        check.expectRight(
            inputs: [generator.tensor([2, 6, 4])], parameters: [weight, bias]
        ) {
            convolution1d(
                $0[0], weight: weight, bias: bias, stride: 2, padding: 1, groups: 2)
        }
        let transposed = Parameter(generator.tensor([4, 1, 3, 2]))
        let outputBias = Parameter(generator.tensor([2]))
        check.expectRight(
            inputs: [generator.tensor([2, 3, 2, 4])], parameters: [transposed, outputBias]
        ) {
            transposedConvolution2d(
                $0[0], weight: transposed, bias: outputBias, stride: .init(2, 3),
                padding: .init(1, 0), outputPadding: .init(1, 2), groups: 2)
        }
    }
}
