import Autodiff
import Foundation
import Kernels
import Models
import NeuralNetworks
import Configuration
import Tensors
import Testing

@Suite struct ModelBuilderTests {
    private static let input = FeatureShape.image(channels: 1, height: 28, width: 28)

    private func model(
        _ layers: String, convolution: String = "winograd2x2"
    ) throws -> ModelConfiguration {
        let text = """
            { replicas: 1, batchSize: 1, steps: 1, data: { directory: "/nowhere" },
              optimizer: { type: "sgd", learningRate: 1 },
              model: { layers: [\(layers)], convolution: "\(convolution)" } }
            """
        return try modelConfiguration(text)
    }

    private func problem(_ layers: String) throws -> String {
        let error = try #require(throws: ModelError.self) {
            try ModelBuilder.outline(of: try model(layers), input: Self.input, outputs: 10)
        }
        return "\(error)"
    }

    @Test func outlineCountsShapesAndScalars() throws {
        let outline = try ModelBuilder.outline(
            of: try model(
                """
                {type: "conv2d", name: "conv1", outputChannels: 32, kernel: 3, padding: "same"},
                {type: "relu"}, {type: "maxPool2d", kernel: 2}, {type: "flatten"},
                {type: "linear", name: "fc", outputFeatures: 10}
                """), input: Self.input, outputs: 10)
        #expect(
            outline.layers.map { "\($0.output)" } == [
                "32x28x28", "32x28x28", "32x14x14", "6272", "10",
            ])
        #expect(outline.scalarCount == 32 * 9 + 32 + 6272 * 10 + 10)
    }

    /// All convolutions of the list, those in blocks too, are computed as asked for.
    @Test(
        .enabled(if: Arithmetic.fusedWidth > 0, "own convolutions need AVX2"),
        arguments: [true, false])
    func convolutionMethodReachesTheLayers(inBlock: Bool) throws {
        let layer = """
            {type: "conv2d", name: "conv", outputChannels: 16, kernel: 3, padding: 1}
            """
        let layers = inBlock ? "{type: \"residual\", name: \"block\", layers: [\(layer)]}" : layer
        var stream = InitializationStream(seed: 2)
        let x = Initializer.kaimingNormal.tensor(
            [2, 8, 8, 16], fanIn: 2, fanOut: 1, stream: &stream)
        let results = try ["winograd2x2", "winograd2x4", "winograd4x4"].map { name in
            let network = try ModelBuilder.build(
                try model(
                    "\(layers), {type: \"flatten\"}, {type: \"linear\", outputFeatures: 10}",
                    convolution: name),
                input: .image(channels: 16, height: 8, width: 8), outputs: 10, seed: 1)
            return network(Tape(.evaluation).constant(x)).value.scalars
        }
        #expect(Set(results).count == 3)
        for result in results {
            #expect(zip(result, results[0]).allSatisfy { abs($0 - $1) < 1e-4 })
        }
    }

    @Test func networkGivesWhatTheOutlineSays() throws {
        let network = try ModelBuilder.build(
            try model(
                """
                {type: "conv2d", name: "conv1", outputChannels: 4, kernel: [3, 5], stride: [2, 1]},
                {type: "batchNorm", name: "norm1"}, {type: "tanh"},
                {type: "residual", name: "block",
                 layers: [{type: "conv2d", name: "conv", outputChannels: 8, kernel: 3, stride: 2, padding: 1}],
                 shortcut: [{type: "conv2d", name: "conv", outputChannels: 8, kernel: 1, stride: 2}]},
                {type: "averagePool2d", kernel: 2}, {type: "sigmoid"}, {type: "globalAveragePool"},
                {type: "flatten"}, {type: "dropout", probability: 0.5},
                {type: "linear", name: "fc", outputFeatures: 10}
                """), input: Self.input, outputs: 10, seed: 1)
        let output = network(Tape(.evaluation).constant(Tensor(zeros: [2, 28, 28, 1])))
        #expect(output.shape == [2, 10])
        let names = ParameterStore(adopting: network).parameterSlots.map(\.name)
        #expect(
            names == [
                "conv1.weight", "conv1.bias", "norm1.weight", "norm1.bias", "block.conv.weight",
                "block.conv.bias", "block.shortcut.conv.weight", "block.shortcut.conv.bias",
                "fc.weight", "fc.bias",
            ])
    }

    /// Directions with skips are two stacks; a layer that keeps the width has its skip wherever it
    /// stands.
    @Test(
        arguments: ["rnn", "lstm", "gru"],
        [("none", 12), ("residual", 12), ("highway", 12), ("highway", 28)])
    func recurrentStacksGiveWhatTheOutlineSays(type: String, skip: (String, Int)) throws {
        for isBidirectional in [false, true] {
            let model = try model(
                """
                {type: "rows"},
                {type: "\(type)", name: "stack", hiddenSize: \(skip.1), layers: 3,
                 skip: "\(skip.0)", bidirectional: \(isBidirectional), dropout: 0.1},
                {type: "lastStep"}, {type: "linear", name: "fc", outputFeatures: 10}
                """)
            let outline = try ModelBuilder.outline(of: model, input: Self.input, outputs: 10)
            let width = isBidirectional ? 2 * skip.1 : skip.1
            #expect("\(outline.layers[2].output)" == "\(width)")
            let network = try ModelBuilder.build(
                model, input: Self.input, outputs: 10, seed: 1)
            let store = ParameterStore(adopting: network)
            #expect(
                store.parameterSlots.reduce(0) { $0 + $1.shape.count } == outline.scalarCount)
            let output = network(Tape(.evaluation).constant(Tensor(zeros: [2, 28, 28, 1])))
            #expect(output.shape == [2, 10])
            guard isBidirectional, skip.0 != "none" else { continue }
            let names = store.parameterSlots.map(\.name)
            #expect(names.contains("stack.forward.layers.2.weight_hh_l0"))
            #expect(names.contains("stack.backward.layers.0.weight_ih_l0"))
        }
    }

    @Test func mistakesNameLayerAndShapes() throws {
        #expect(
            try problem(#"{type: "linear", name: "fc", outputFeatures: 10}"#)
                == "model.layers.0 (linear \"fc\"): needs a vector, but its input is an image 1x28x28;"
                + " put a flatten layer before it")
        #expect(
            try problem(#"{type: "flatten"}, {type: "conv2d", outputChannels: 2, kernel: 3}"#)
                == "model.layers.1 (conv2d \"1\"): needs an image, but its input is a vector of 784"
                + " features")
        #expect(
            try problem(#"{type: "maxPool2d", kernel: [30, 2]}"#)
                == "model.layers.0 (maxPool2d \"0\"): a kernel of 30x2 does not fit on its input"
                + " 1x28x28 with padding 0x0")
        #expect(
            try problem(#"{type: "conv2d", name: "c", outputChannels: 4, kernel: 3, groups: 2}"#)
                == "model.layers.0 (conv2d \"c\"): 2 groups do not divide 1 input and 4 output"
                + " channels")
        #expect(
            try problem(
                #"{type: "residual", name: "b", layers: [{type: "maxPool2d", kernel: 2}]}"#)
                == "model.layers.0 (residual \"b\"): its layers give 1x14x14 but its input is"
                + " 1x28x28; both are added, so give it a shortcut (for example a 1x1 conv2d with"
                + " the same stride)")
        #expect(
            try problem(#"{type: "flatten"}, {type: "linear", name: "fc", outputFeatures: 7}"#)
                == "model.layers.1 (linear \"fc\"): the last layer must give 10 features, one per"
                + " class, but gives 7")
    }
}
