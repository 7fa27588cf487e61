// Examples of all kinds of layers, small enough for a gradient check.

import Configuration
import Foundation
import Models
import NeuralNetworks
import Tensors
import TestSupport
import Testing

/// A layer of a configuration on an input, with what comes of it.
struct LayerExample: Sendable, CustomTestStringConvertible {
    let text: String
    let input: FeatureShape
    /// The output's shape as messages write it.
    let output: String
    /// Trained scalars, counted by hand.
    let scalars: Int

    init(_ text: String, on input: FeatureShape, gives output: String, scalars: Int = 0) {
        self.text = text
        self.input = input
        self.output = output
        self.scalars = scalars
    }

    var testDescription: String { text }

    var type: String { (try? layer().type) ?? "unreadable: \(text)" }

    static func layer(_ value: ConfigurationValue) throws -> LayerConfiguration {
        let reader = try ConfigurationReader(
            .object(["layers": .array([value])]), origin: "test", path: "model", keys: ["layers"])
        return try LayerConfiguration.list(reader, "layers")![0]
    }

    func layer() throws -> LayerConfiguration {
        try Self.layer(ConfigurationValue.parse(Data(text.utf8), origin: "test"))
    }

    func list() throws -> LayerList {
        try LayerList(
            [layer()], path: "model.layers", input: input, outputs: 5, tile: .standard)
    }

    func network() throws -> Sequential {
        var stream = InitializationStream(seed: 3)
        return try list().sequential(stream: &stream)
    }

    /// Two samples: numbers apart from each other and from kinks, or symbols.
    func batch() -> Tensor {
        var generator = SplitMix(seed: 7)
        let shape = Shape([2] + input.sampleShape.dimensions)
        guard input.tokens == nil else {
            return Tensor((0..<shape.count).map { Float($0 * 3 % 5) }, shape)
        }
        return generator.separated(shape)
    }

    static let all = activations + images + vectors + sequences

    private static let row = FeatureShape.vector(6)
    private static let steps = FeatureShape.sequence(length: 5, features: 4)
    private static let image = FeatureShape.image(channels: 2, height: 5, width: 6)

    private static let activations: [LayerExample] =
        [
            #"{type: "relu"}"#, #"{type: "tanh"}"#, #"{type: "sigmoid"}"#, #"{type: "gelu"}"#,
            #"{type: "gelu", approximate: "tanh"}"#, #"{type: "leakyRelu", negativeSlope: 0.2}"#,
            #"{type: "elu", alpha: 0.7}"#, #"{type: "silu"}"#, #"{type: "softplus"}"#,
            #"{type: "logSigmoid"}"#, #"{type: "hardtanh", minVal: -0.1, maxVal: 0.2}"#,
            #"{type: "softmax"}"#, #"{type: "logSoftmax"}"#, #"{type: "mish"}"#,
            #"{type: "dropout", probability: 0.3}"#,
        ].map { LayerExample($0, on: row, gives: "6") }

    private static let images = [
        LayerExample(
            #"{type: "conv2d", outputChannels: 4, kernel: [3, 2], stride: [2, 1], groups: 2}"#,
            on: image, gives: "4x2x5", scalars: 4 * 1 * 6 + 4),
        LayerExample(
            #"{type: "conv2d", name: "c", outputChannels: 3, kernel: 3, padding: "same"}"#,
            on: image, gives: "3x5x6", scalars: 3 * 2 * 9 + 3),
        LayerExample(
            #"{type: "conv2d", outputChannels: 3, kernel: 3, padding: "same", dilation: [1, 2]}"#,
            on: image, gives: "3x5x6", scalars: 3 * 2 * 9 + 3),
        LayerExample(
            #"{type: "conv2d", outputChannels: 3, kernel: 2, stride: 2, padding: 1, dilation: 3}"#,
            on: image, gives: "3x2x3", scalars: 3 * 2 * 4 + 3),
        LayerExample(
            """
            {type: "convTranspose2d", outputChannels: 3, kernel: 3, stride: 2, padding: 1,
             outputPadding: [1, 0], bias: false}
            """, on: image, gives: "3x10x11", scalars: 2 * 3 * 9),
        LayerExample(
            #"{type: "maxPool2d", kernel: 3, stride: 2, padding: 1}"#, on: image, gives: "2x3x3"),
        LayerExample(#"{type: "averagePool2d", kernel: 2}"#, on: image, gives: "2x2x3"),
        LayerExample(#"{type: "globalAveragePool"}"#, on: image, gives: "2x1x1"),
        LayerExample(#"{type: "batchNorm"}"#, on: image, gives: "2x5x6", scalars: 4),
        LayerExample(#"{type: "groupNorm", groups: 2}"#, on: image, gives: "2x5x6", scalars: 4),
        LayerExample(#"{type: "softmax"}"#, on: image, gives: "2x5x6"),
        LayerExample(#"{type: "flatten"}"#, on: image, gives: "60"),
        LayerExample(#"{type: "rows"}"#, on: image, gives: "5 steps of 12"),
        LayerExample(
            """
            {type: "residual", layers: [{type: "conv2d", outputChannels: 3, kernel: 1},
             {type: "tanh"}], shortcut: [{type: "conv2d", outputChannels: 3, kernel: 1}]}
            """, on: image, gives: "3x5x6", scalars: 2 * (3 * 2 + 3)),
    ]

    private static let vectors = [
        LayerExample(
            #"{type: "linear", outputFeatures: "outputs", initializer: "xavierNormal"}"#, on: row,
            gives: "5", scalars: 6 * 5 + 5),
        LayerExample(
            #"{type: "linear", outputFeatures: 3, bias: false}"#, on: steps,
            gives: "5 steps of 3", scalars: 12),
        LayerExample(#"{type: "layerNorm"}"#, on: row, gives: "6", scalars: 12),
        LayerExample(
            #"{type: "feedForward", hidden: 7, activation: "gelu"}"#, on: row, gives: "6",
            scalars: 6 * 7 + 7 + 7 * 6 + 6),
    ]

    private static let sequences = [
        LayerExample(
            #"{type: "embedding", width: 3}"#, on: .tokens(4), gives: "4 steps of 3", scalars: 15),
        LayerExample(#"{type: "positions"}"#, on: steps, gives: "5 steps of 4", scalars: 20),
        LayerExample(#"{type: "sinusoidalPositions"}"#, on: steps, gives: "5 steps of 4"),
        LayerExample(
            #"{type: "rnn", hiddenSize: 3, layers: 2, bidirectional: true}"#, on: steps,
            gives: "5 steps of 6", scalars: 2 * (3 * (4 + 3 + 2) + 3 * (6 + 3 + 2))),
        LayerExample(
            #"{type: "lstm", hiddenSize: 4, layers: 2, skip: "residual"}"#, on: steps,
            gives: "5 steps of 4", scalars: 2 * 16 * (4 + 4 + 2)),
        LayerExample(
            #"{type: "gru", hiddenSize: 4, skip: "highway", bidirectional: true}"#, on: steps,
            gives: "5 steps of 8", scalars: 2 * (12 * (4 + 4 + 2) + 4 * 4 + 4)),
        LayerExample(
            #"{type: "gru", hiddenSize: 3, bias: false}"#, on: steps, gives: "5 steps of 3",
            scalars: 9 * (4 + 3)),
        LayerExample(#"{type: "lastStep"}"#, on: steps, gives: "4"),
        LayerExample(
            #"{type: "transformer", heads: 2, feedForward: 6}"#, on: steps, gives: "5 steps of 4",
            scalars: 4 * 16 + 16 + 2 * 24 + 10 + 16),
        LayerExample(
            #"{type: "selfAttention", heads: 2, causal: false}"#, on: steps,
            gives: "5 steps of 4", scalars: 4 * 16 + 16),
        LayerExample(
            #"{type: "conv1d", outputChannels: 3, kernel: 3, padding: "same", dilation: 2}"#,
            on: steps, gives: "5 steps of 3", scalars: 3 * 4 * 3 + 3),
        LayerExample(
            #"{type: "conv1d", outputChannels: 4, kernel: 2, stride: 2, groups: 2}"#, on: steps,
            gives: "2 steps of 4", scalars: 4 * 2 * 2 + 4),
    ]
}
