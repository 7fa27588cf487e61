// The network: a list of layers, or one of the architectures that have a name. What the layers mean and
// whether their shapes fit is decided in Models; here are only their typed options and the rules for
// their names, because parameter names are made of them ("block1.conv1.weight").

package struct ModelConfiguration: Sendable, Equatable {
    package enum Architecture: Sendable, Equatable {
        case layers([LayerConfiguration])
        case recurrentTranslator(RecurrentTranslatorOptions)
        case transformerTranslator(TransformerTranslatorOptions)
        /// A network that some program defines.
        case own(CustomModelConfiguration)
    }

    package var architecture: Architecture
    package var loss: LossConfiguration
    /// How 3x3 convolutions are computed, in a list of layers.
    package var convolution: ConvolutionMethod

    /// The list of layers; empty for another architecture.
    package var layers: [LayerConfiguration] {
        get { if case .layers(let layers) = architecture { layers } else { [] } }
        set { architecture = .layers(newValue) }
    }

    package var typeName: ModelTypeName {
        switch architecture {
        case .layers: .layers
        case .recurrentTranslator: .recurrentTranslator
        case .transformerTranslator: .transformerTranslator
        case .own: .own
        }
    }

    /// The network that some program defines; nil for another architecture.
    package var own: CustomModelConfiguration? {
        if case .own(let own) = architecture { own } else { nil }
    }

    /// Whether it turns one sequence into another.
    package var isTranslator: Bool {
        [.recurrentTranslator, .transformerTranslator].contains(typeName)
    }

    package init(_ parent: ConfigurationReader) throws(ConfigurationError) {
        guard parent.has("model") else { throw parent.missing("model", "an object") }
        let common = ["type", "loss"]
        let every = Set(
            RecurrentTranslatorOptions.keys + TransformerTranslatorOptions.keys
                + CustomModelConfiguration.keys)
        let open = try parent.object(
            "model", keys: common + every.union(["layers", "convolution"]))
        let type = try open.name("type", ModelTypeName.self) ?? .layers
        let own =
            switch type {
            case .layers: ["layers", "convolution"]
            case .recurrentTranslator: RecurrentTranslatorOptions.keys
            case .transformerTranslator: TransformerTranslatorOptions.keys
            case .own: CustomModelConfiguration.keys
            }
        let reader = try parent.object("model", keys: common + own)
        loss = try LossConfiguration(in: reader)
        convolution =
            type == .layers ? try reader.name("convolution") ?? .winograd2x2 : .winograd2x2
        switch type {
        case .layers:
            let layers = try LayerConfiguration.list(reader, "layers", depth: 0) ?? []
            guard !layers.isEmpty else { throw reader.missing("layers", "a list of layers") }
            architecture = .layers(layers)
        case .recurrentTranslator:
            architecture = .recurrentTranslator(try RecurrentTranslatorOptions(reader))
        case .transformerTranslator:
            architecture = .transformerTranslator(try TransformerTranslatorOptions(reader))
        case .own: architecture = .own(try CustomModelConfiguration(reader))
        }
    }

    package var resolved: ConfigurationValue {
        var members: [String: ConfigurationValue] = [
            "type": .string(typeName.rawValue), "loss": loss.resolved,
        ]
        switch architecture {
        case .layers(let layers):
            members["layers"] = .array(layers.map(\.resolved))
            members["convolution"] = .string(convolution.rawValue)
        case .recurrentTranslator(let options): members.merge(options.members) { $1 }
        case .transformerTranslator(let options): members.merge(options.members) { $1 }
        case .own(let own): members.merge(own.members) { $1 }
        }
        return .object(members)
    }
}

/// How 3x3 convolutions with stride 1 are computed: Winograd's way with tiles of so many outputs. Larger tiles are
/// faster and round worse.
package enum ConvolutionMethod: String, CaseIterable, Sendable {
    /// At least as accurate as the direct sum.
    case winograd2x2
    /// Errors (root mean square) 1.1 to 1.4 times those of the direct sum, of the weights' gradient twice; the
    /// convolution itself takes about a quarter less time.
    case winograd2x4
    /// Errors 2 to 2.5 times those of the direct sum, of the weights' gradient 3 to 4 times; about a third less time.
    case winograd4x4
}

/// One layer: an optional name and what it does.
package struct LayerConfiguration: Sendable, Equatable {
    /// The part of a parameter's name that stands for this layer; nil: its position in the list.
    package var name: String?
    package var operation: LayerOperation

    package init(name: String? = nil, _ operation: LayerOperation) {
        self.name = name
        self.operation = operation
    }

    /// The name in effect at `position` of the list (PyTorch's Sequential counts the same way).
    package func effectiveName(at position: Int) -> String { name ?? "\(position)" }
}

/// What a layer does, with its options. Input shapes follow from the layers before it.
package indirect enum LayerOperation: Sendable, Equatable {
    case linear(outputFeatures: FeatureCount, bias: Bool, initializer: InitializerName)
    case conv2d(ConvolutionOptions)
    case maxPool2d(PoolingOptions)
    case averagePool2d(PoolingOptions)
    case globalAveragePool
    case batchNorm(momentum: Double, epsilon: Double)
    case relu
    case tanh
    case sigmoid
    case dropout(probability: Double)
    case flatten
    /// Rows of an image, top to bottom, as a sequence.
    case rows
    /// A vector for each symbol.
    case embedding(width: Int)
    /// A learned vector for each position, added.
    case positions
    case rnn(RecurrentStackOptions)
    case lstm(RecurrentStackOptions)
    case gru(RecurrentStackOptions)
    /// The last step of a sequence.
    case lastStep
    case transformer(TransformerBlockOptions)
    case layerNorm(epsilon: Double)
    case gelu
    /// The sum of what `layers` and `shortcut` make of the same input; no shortcut: the input
    /// itself. Parameters of the shortcut are named "<layer>.shortcut.<name>.weight".
    case residual(layers: [LayerConfiguration], shortcut: [LayerConfiguration])
}

package struct ConvolutionOptions: Sendable, Equatable {
    package enum Padding: Sendable, Equatable {
        case zeros(Extent)
        /// Just enough for an output as large as the input; only with a stride of 1.
        case same
    }

    package var outputChannels: Int
    package var kernel: Extent
    package var stride: Extent
    package var padding: Padding
    package var groups: Int
    package var bias: Bool
    package var initializer: InitializerName

    package init(
        outputChannels: Int, kernel: Extent, stride: Extent = Extent(height: 1, width: 1),
        padding: Padding = .zeros(Extent(height: 0, width: 0)), groups: Int = 1, bias: Bool = true,
        initializer: InitializerName = .kaimingUniform
    ) {
        self.outputChannels = outputChannels
        self.kernel = kernel
        self.stride = stride
        self.padding = padding
        self.groups = groups
        self.bias = bias
        self.initializer = initializer
    }
}

package struct PoolingOptions: Sendable, Equatable {
    package var kernel: Extent
    package var stride: Extent
    package var padding: Extent

    package init(kernel: Extent, stride: Extent, padding: Extent) {
        self.kernel = kernel
        self.stride = stride
        self.padding = padding
    }
}

package enum InitializerName: String, CaseIterable, Sendable {
    /// PyTorch's default for linear and convolution layers.
    case kaimingUniform
    case kaimingNormal
    case xavierUniform
    case xavierNormal
}

/// The `type` of a layer as it is written in a configuration.
package enum LayerTypeName: String, CaseIterable, Sendable {
    case linear, conv2d, maxPool2d, averagePool2d, globalAveragePool, batchNorm, relu, tanh
    case sigmoid, dropout, flatten, residual, rows, embedding, positions, rnn, lstm, gru, lastStep
    case transformer, layerNorm, gelu
}

extension LayerOperation {
    package var typeName: LayerTypeName {
        switch self {
        case .linear: .linear
        case .conv2d: .conv2d
        case .maxPool2d: .maxPool2d
        case .averagePool2d: .averagePool2d
        case .globalAveragePool: .globalAveragePool
        case .batchNorm: .batchNorm
        case .relu: .relu
        case .tanh: .tanh
        case .sigmoid: .sigmoid
        case .dropout: .dropout
        case .flatten: .flatten
        case .residual: .residual
        case .rows: .rows
        case .embedding: .embedding
        case .positions: .positions
        case .rnn: .rnn
        case .lstm: .lstm
        case .gru: .gru
        case .lastStep: .lastStep
        case .transformer: .transformer
        case .layerNorm: .layerNorm
        case .gelu: .gelu
        }
    }
}
