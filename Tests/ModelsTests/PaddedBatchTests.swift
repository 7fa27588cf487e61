// A padded batch gives each sequence what it gets alone: outputs, gradients of the inputs, and the
// sum of the gradients of the parameters. The padding is full of numbers that would show in any of
// them.

import Autodiff
import Configuration
import Foundation
import Models
import NeuralNetworks
import Tensors
import TestSupport
import Testing

@Suite struct PaddedBatchTests {
    private static let lengths: [Int32] = [3, 6, 1, 5]
    private static let steps = 6
    private static let width = 4

    private func network(_ layers: String, input: FeatureShape) throws -> Sequential {
        let value = try ConfigurationValue.parse(Data("[\(layers)]".utf8), origin: "test")
        let reader = try ConfigurationReader(
            .object(["layers": value]), origin: "test", path: "model", keys: ["layers"])
        let list = try LayerList(
            LayerConfiguration.list(reader, "layers") ?? [], path: "model.layers", input: input,
            outputs: 5, tile: .standard)
        var stream = InitializationStream(seed: 11)
        return try list.sequential(stream: &stream)
    }

    /// What a pass gives: by sequence the outputs within its length, and the gradients of its
    /// steps.
    private struct Result {
        var outputs: [[Float]] = []
        var inputGradients: [[Float]] = []
        var parameterGradients: [[Float]] = []
    }

    private func pass(
        _ network: Sequential, _ x: Tensor, lengths: [Int32]?, upstream: (Int, Int) -> Float
    ) -> Result {
        let parameters = network.namedStates.compactMap { state in
            if case .parameter(_, let parameter) = state { parameter } else { nil }
        }
        for parameter in parameters { parameter.attachGradient() }
        let tape = Tape(GradientCheck.settings)
        var gradient = Tensor(zeros: x.shape)
        let y = network(Features(tape.input(x) { gradient = $0 }, lengths: lengths))
        let samples = x.shape[0]
        let outputCount = y.values.value.count / samples
        let perStep = y.values.shape.columns
        let valid = (0..<samples).map { sample in
            y.lengths.map { Int($0[sample]) * perStep } ?? outputCount
        }
        let above = Tensor(zeros: y.values.shape)
        for sample in 0..<samples {
            for element in 0..<valid[sample] {
                above.pointer[sample * outputCount + element] = upstream(sample, element)
            }
        }
        tape.backward(from: y.values, upstream: above)
        func rows(_ tensor: Tensor, _ counts: [Int]) -> [[Float]] {
            let row = tensor.count / samples
            return (0..<samples).map {
                Array(tensor.scalars[$0 * row..<$0 * row + counts[$0]])
            }
        }
        let inputStep = x.count / samples / x.shape[1]
        let inputCounts = (0..<samples).map {
            (lengths.map { lengths in { Int(lengths[$0]) } } ?? { _ in x.shape[1] })($0) * inputStep
        }
        return Result(
            outputs: rows(y.values.value, valid), inputGradients: rows(gradient, inputCounts),
            parameterGradients: parameters.map { $0.gradient?.scalars ?? [] })
    }

    private func expectClose(_ a: [Float], _ b: [Float], _ what: String) {
        #expect(a.count == b.count, "\(what): \(a.count) and \(b.count) numbers")
        let error = zip(a, b).map { abs($0 - $1) / (1 + abs($1)) }.max() ?? 0
        #expect(error < 1e-5, "\(what) are off by \(error)")
    }

    private func check(_ layers: String, _ x: Tensor, input: FeatureShape) throws {
        let network = try network(layers, input: input)
        func upstream(_ sample: Int, _ element: Int) -> Float {
            Float((sample * 31 + element * 17) % 13 - 6) / 6
        }
        let together = pass(network, x, lengths: Self.lengths, upstream: upstream)
        var sums: [[Float]] = together.parameterGradients.map { $0.map { _ in 0 } }
        let step = x.count / x.shape[0] / Self.steps
        for (sample, length) in Self.lengths.enumerated() {
            let start = sample * Self.steps * step
            let alone = pass(
                network,
                Tensor(
                    Array(x.scalars[start..<start + Int(length) * step]),
                    Shape([1, Int(length)] + x.shape.dimensions.dropFirst(2))),
                lengths: nil, upstream: { upstream(sample, $1) })
            expectClose(together.outputs[sample], alone.outputs[0], "outputs of \(sample)")
            expectClose(
                together.inputGradients[sample], alone.inputGradients[0],
                "gradients of the input \(sample)")
            for (index, gradient) in alone.parameterGradients.enumerated() {
                sums[index] = zip(sums[index], gradient).map(+)
            }
        }
        for (index, sum) in sums.enumerated() {
            expectClose(together.parameterGradients[index], sum, "gradients of parameter \(index)")
        }
    }

    @Test(arguments: [
        #"{type: "lstm", hiddenSize: 3, layers: 2, bidirectional: true}"#,
        #"{type: "gru", hiddenSize: 4, layers: 2, bidirectional: true, skip: "residual"}"#,
        #"{type: "rnn", hiddenSize: 4, layers: 2, skip: "highway"}, {type: "tanh"}"#,
        #"{type: "transformer", heads: 2, feedForward: 5, causal: false}"#,
        #"{type: "positions"}, {type: "transformer", heads: 1, feedForward: 5}"#,
        #"{type: "residual", layers: [{type: "layerNorm"}, {type: "selfAttention", heads: 2, causal: false}]}"#,
        #"{type: "linear", outputFeatures: 3}, {type: "conv1d", outputChannels: 4, kernel: 3, padding: "same"}"#,
        #"{type: "conv1d", outputChannels: 3, kernel: 3, padding: "same", dilation: 2}"#,
        #"{type: "conv1d", outputChannels: 3, kernel: 2, stride: 2, padding: 1}, {type: "gru", hiddenSize: 3}"#,
        """
        {type: "residual", layers: [{type: "gru", hiddenSize: 2, bidirectional: true}],
         shortcut: [{type: "silu"}]}, {type: "lstm", hiddenSize: 3}, {type: "lastStep"},
        {type: "linear", outputFeatures: 2}
        """,
    ])
    func eachSequenceIsAsItIsAlone(layers: String) throws {
        var generator = SplitMix(seed: 5)
        let x = generator.tensor([Self.lengths.count, Self.steps, Self.width])
        try check(
            layers, x, input: .sequence(length: Self.steps, features: Self.width))
    }

    @Test func symbolsArePaddedToo() throws {
        let symbols = (0..<Self.lengths.count * Self.steps).map { Float($0 * 7 % 5) }
        try check(
            #"{type: "embedding", width: 4}, {type: "gru", hiddenSize: 3, bidirectional: true}"#,
            Tensor(symbols, [Self.lengths.count, Self.steps]), input: .tokens(Self.steps))
    }

    /// Without lengths a network of features is the network of variables, to the bit.
    @Test func unpaddedFeaturesAreTheSameBits() throws {
        let network = try network(
            #"{type: "conv1d", outputChannels: 3, kernel: 3}, {type: "lstm", hiddenSize: 3}"#,
            input: .sequence(length: Self.steps, features: Self.width))
        var generator = SplitMix(seed: 5)
        let x = Tape(.evaluation).constant(generator.tensor([2, Self.steps, Self.width]))
        let features = network(Features(x))
        #expect(features.lengths == nil)
        #expect(
            features.values.value.scalars.map(\.bitPattern)
                == network(x).value.scalars.map(\.bitPattern))
    }
}
