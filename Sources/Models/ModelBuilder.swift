import Kernels
import NeuralNetworks
import Configuration

/// Builds the network that a configuration's list of layers describes.
package enum ModelBuilder {
    /// The model's table, with every shape checked; nothing is allocated.
    package static func outline(
        of model: ModelConfiguration, input: FeatureShape, outputs: Int
    ) throws(ModelError) -> ModelOutline {
        guard !model.isTranslator else {
            return try translatorOutline(of: model, input: input, outputs: outputs)
        }
        let plans = try plan(model, input: input, outputs: outputs)
        let layers = plans.map {
            LayerOutline(
                path: $0.path, name: $0.name, type: $0.type, input: $0.input, output: $0.output,
                scalarCount: $0.scalarCount)
        }
        return ModelOutline(
            layers: layers, output: plans.last?.output ?? input, isListed: true)
    }

    /// The list of layers with its initial weights, a pure function of the configuration and the seed.
    package static func build(
        _ model: ModelConfiguration, input: FeatureShape, outputs: Int, seed: UInt64
    ) throws(ModelError) -> Sequential {
        var stream = InitializationStream(seed: seed)
        return sequential(
            try plan(model, input: input, outputs: outputs), model.convolution.tile,
            stream: &stream)
    }

    /// The layers with all sizes settled.
    static func plan(
        _ model: ModelConfiguration, input: FeatureShape, outputs: Int
    ) throws(ModelError) -> [LayerPlan] {
        let plans = try LayerPlan.plan(
            model.layers, path: "model.layers", input: input, outputs: outputs)
        let wanted: FeatureShape
        if case .tokens(let length) = input {
            wanted = .sequence(length: length, features: outputs)
        } else {
            wanted = .vector(outputs)
        }
        guard let last = plans.last, last.output == wanted else {
            let output = plans.last?.output ?? input
            throw ModelError(
                path: plans.last?.path ?? "model.layers",
                layer: plans.last.map { "\($0.type) \"\($0.name)\"" } ?? "empty",
                problem: "the last layer must give \(wanted.wordsAsOutput), but gives \(output)")
        }
        return plans
    }

    private static func sequential(
        _ plans: [LayerPlan], _ tile: WinogradTile, stream: inout InitializationStream
    ) -> Sequential {
        var layers: [(name: String, layer: any Layer)] = []
        for plan in plans { layers.append((plan.name, layer(plan, tile, stream: &stream))) }
        return Sequential(named: layers)
    }

    private static func layer(
        _ plan: LayerPlan, _ tile: WinogradTile, stream: inout InitializationStream
    ) -> any Layer {
        switch plan.operation {
        case .linear(let inputs, let outputs, let bias, let initializer):
            return Linear(
                inputs, outputs, bias: bias, initializer: initializer.initializer,
                stream: &stream)
        case .conv2d(let inputs, let options, let padding):
            return Conv2d(
                inputs, options.outputChannels, kernel: .init(options.kernel),
                stride: .init(options.stride), padding: padding, groups: options.groups,
                bias: options.bias, initializer: options.initializer.initializer, tile: tile,
                stream: &stream)
        case .maxPool2d(let options):
            return MaxPool2d(
                kernel: .init(options.kernel), stride: .init(options.stride),
                padding: .init(options.padding))
        case .averagePool2d(let options):
            return AveragePool2d(
                kernel: .init(options.kernel), stride: .init(options.stride),
                padding: .init(options.padding))
        case .globalAveragePool: return GlobalAveragePool()
        case .batchNorm(let channels, let momentum, let epsilon):
            return BatchNorm(channels, momentum: Float(momentum), epsilon: Float(epsilon))
        case .relu: return Activation.relu
        case .tanh: return Activation.tanh
        case .sigmoid: return Activation.sigmoid
        case .dropout(let probability): return Dropout(probability: Float(probability))
        case .flatten: return Activation.flatten
        case .rows: return Activation.rows
        case .embedding(let symbols, let width):
            return SymbolEmbedding(symbols: symbols, width: width, stream: &stream)
        case .positions(let length, let features):
            return LearnedPositions(length, features, stream: &stream)
        case .recurrent(let plan): return plan.layer(stream: &stream)
        case .lastStep: return Activation.lastStep
        case .transformer(let features, let options):
            return TransformerBlock(
                TransformerShape(
                    width: features, heads: options.heads, hidden: options.feedForward,
                    dropout: Float(options.dropout), activation: .gelu, normFirst: true),
                isCausal: options.causal, stream: &stream)
        case .layerNorm(let features, let epsilon):
            return LayerNorm(features, epsilon: Float(epsilon))
        case .gelu: return Activation.gelu
        case .residual(let layers, let shortcut):
            let main = sequential(layers, tile, stream: &stream)
            return Residual(main, shortcut: sequential(shortcut, tile, stream: &stream))
        }
    }
}

extension ConvolutionMethod {
    fileprivate var tile: WinogradTile {
        switch self {
        case .winograd2x2: .twoByTwo
        case .winograd2x4: .twoByFour
        case .winograd4x4: .fourByFour
        }
    }
}

extension InitializerName {
    fileprivate var initializer: Initializer {
        switch self {
        case .kaimingUniform: .kaimingUniform
        case .kaimingNormal: .kaimingNormal
        case .xavierUniform: .xavierUniform
        case .xavierNormal: .xavierNormal
        }
    }
}
