// A text read symbol by symbol gives the logits of a pass over all of it.

import Autodiff
import Foundation
import Models
import NeuralNetworks
import Configuration
import Tensors
import Testing

@Suite struct StepwiseNetworkTests {
    private static let symbolCount = 11
    private static let context = 12

    private static func model(_ layers: String) throws -> ModelConfiguration {
        let text = """
            { replicas: 1, batchSize: 1, steps: 1, data: { format: "text", path: "/nowhere" },
              optimizer: { type: "sgd", learningRate: 1 },
              model: { layers: [
                { type: "embedding", width: 8 }, \(layers),
                { type: "linear", outputFeatures: "outputs" } ] } }
            """
        return try modelConfiguration(text)
    }

    private struct Case {
        let network: Sequential
        let stepwise: StepwiseNetwork

        init(_ layers: String) throws {
            let model = try StepwiseNetworkTests.model(layers)
            let input = FeatureShape.tokens(StepwiseNetworkTests.context)
            let outputs = StepwiseNetworkTests.symbolCount
            network = try ModelBuilder.build(model, input: input, outputs: outputs, seed: 5)
            stepwise = try StepwiseNetwork(
                model, network: network, input: input, outputs: outputs)
        }

        /// The largest difference to the last logits of a pass over `symbols`.
        func error(_ logits: [Float], _ symbols: ArraySlice<Int32>) -> Float {
            let input = Tensor(symbols.map(Float.init), [1, symbols.count])
            let expected = network(Tape(.evaluation).constant(input)).value.scalars
            return zip(logits, expected.suffix(logits.count)).map { abs($0 - $1) }.max() ?? .nan
        }
    }

    /// Numbers that repeat late.
    private func text(_ count: Int) -> [Int32] {
        (0..<count).map { Int32(($0 * $0 + 3 * $0 + 1) % 37 % Self.symbolCount) }
    }

    @Test(arguments: [
        #"{ type: "rnn", hiddenSize: 7, layers: 2 }"#,
        #"{ type: "rnn", hiddenSize: 7, nonlinearity: "relu" }"#,
        #"{ type: "lstm", hiddenSize: 7, layers: 2, dropout: 0.5 }"#,
        #"{ type: "gru", hiddenSize: 7, layers: 3 }, { type: "tanh" }, { type: "layerNorm" }"#,
        #"{ type: "lstm", hiddenSize: 8, layers: 3, skip: "residual" }"#,
        #"{ type: "gru", hiddenSize: 8, layers: 3, skip: "highway" }"#,
        """
        { type: "residual", layers: [{ type: "gru", hiddenSize: 6 }],
          shortcut: [{ type: "linear", outputFeatures: 6 }, { type: "gelu" }] }
        """,
    ])
    func recurrentLayersGoOnForEver(layers: String) throws {
        let test = try Case(layers)
        #expect(test.stepwise.window == nil)
        let text = text(400)
        var read = 0
        // Pieces of many lengths, one of them longer than what is computed at once.
        for length in [3, 1, 1, 7, 1, 300, 1, 1] {
            let logits = test.stepwise.logits(after: Array(text[read..<read + length]))
            read += length
            let error = test.error(logits, text[..<read])
            #expect(error <= 1e-5, "after \(read) symbols: \(error)")
        }
    }

    @Test(arguments: [
        """
        { type: "positions" }, { type: "transformer", heads: 2, feedForward: 16, dropout: 0.1 },
        { type: "transformer", heads: 4, feedForward: 8 }, { type: "layerNorm" }
        """,
        #"{ type: "lstm", hiddenSize: 8 }, { type: "transformer", heads: 2, feedForward: 16 }"#,
        #"{ type: "positions" }, { type: "gru", hiddenSize: 9 }"#,
        """
        { type: "sinusoidalPositions" }, { type: "feedForward", hidden: 12, activation: "gelu" },
        { type: "residual", layers: [{ type: "layerNorm" }, { type: "selfAttention", heads: 2 }] }
        """,
        """
        { type: "residual", layers: [{ type: "transformer", heads: 1, feedForward: 8 }] },
        { type: "dropout", probability: 0.2 }
        """,
    ])
    func positionsLookBackOnAWindow(layers: String) throws {
        let test = try Case(layers)
        #expect(test.stepwise.window == Self.context)
        let text = text(60)
        let readings = [[2, 1, 1, 5, 1, 1, 1, 1, 3, 1], [12, 1, 1], [13, 1], [11, 2], [40, 1]]
        for pieces in readings {
            test.stepwise.removeAll()
            var read = 0
            for length in pieces {
                let logits = test.stepwise.logits(after: Array(text[read..<read + length]))
                read += length
                let error = test.error(logits, text[..<read].suffix(Self.context))
                #expect(error <= 1e-5, "after \(read) symbols of \(pieces): \(error)")
            }
        }
    }

    @Test(arguments: [
        (
            #"{ type: "lstm", name: "both", hiddenSize: 4, bidirectional: true }"#,
            "model.layers.1 (lstm \"both\"): a text cannot be continued with this layer: it is "
                + "bidirectional"
        ),
        (
            #"{ type: "transformer", name: "block", heads: 2, feedForward: 8, causal: false }"#,
            "model.layers.1 (transformer \"block\"): a text cannot be continued with this layer: it "
                + "is not causal"
        ),
        (
            #"{ type: "conv1d", name: "c", outputChannels: 8, kernel: 3, padding: "same" }"#,
            "model.layers.1 (conv1d \"c\"): a text cannot be continued with this layer: its steps "
                + "see later symbols"
        ),
        (
            """
            { type: "residual", layers: [{ type: "gru", name: "inner", hiddenSize: 4,
              bidirectional: true }] }
            """, "model.layers.1.layers.0 (gru \"inner\"): a text cannot be continued"
        ),
    ])
    func layersThatSeeLaterSymbolsAreRefused(layers: String, words: String) throws {
        let error = try #require(throws: ModelError.self) { try Case(layers) }
        #expect("\(error)".hasPrefix(words), "\(error)")
    }
}
