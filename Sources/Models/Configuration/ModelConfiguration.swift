import Configuration
import Kernels

// The network: a list of layers, or one of the architectures that have a name. Whether the shapes
// of layers fit is decided when they are settled for an input (LayerList).

/// The network of a run and what it is trained for.
package struct ModelConfiguration: Sendable, Equatable {
    package enum Architecture: Sendable, Equatable {
        case layers([LayerConfiguration])
        case recurrentTranslator(RecurrentTranslatorOptions)
        case transformerTranslator(TransformerTranslatorOptions)
        /// A network that a program defines.
        case custom(CustomModelConfiguration)
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
        case .custom: .custom
        }
    }

    /// The network that a program defines; nil for another architecture.
    package var custom: CustomModelConfiguration? {
        if case .custom(let custom) = architecture { custom } else { nil }
    }

    /// Whether the network turns one sequence into another.
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
        let special =
            switch type {
            case .layers: ["layers", "convolution"]
            case .recurrentTranslator: RecurrentTranslatorOptions.keys
            case .transformerTranslator: TransformerTranslatorOptions.keys
            case .custom: CustomModelConfiguration.keys
            }
        let reader = try parent.object("model", keys: common + special)
        loss = try LossConfiguration(in: reader)
        convolution =
            type == .layers ? try reader.name("convolution") ?? .winograd2x2 : .winograd2x2
        switch type {
        case .layers:
            let layers = try LayerConfiguration.list(reader, "layers") ?? []
            guard !layers.isEmpty else { throw reader.missing("layers", "a list of layers") }
            architecture = .layers(layers)
        case .recurrentTranslator:
            architecture = .recurrentTranslator(try RecurrentTranslatorOptions(reader))
        case .transformerTranslator:
            architecture = .transformerTranslator(try TransformerTranslatorOptions(reader))
        case .custom: architecture = .custom(try CustomModelConfiguration(reader))
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
        case .custom(let custom): members.merge(custom.members) { $1 }
        }
        return .object(members)
    }
}

/// How 3x3 convolutions with stride 1 are computed: by Winograd's method, on tiles of this many
/// outputs. Larger tiles are faster and round worse.
package enum ConvolutionMethod: String, CaseIterable, Sendable {
    /// At least as accurate as the direct sum.
    case winograd2x2
    /// Errors (root mean square) are 1.1 to 1.4 times those of the direct sum, and twice those of
    /// the weights' gradient; the convolution itself takes about a quarter less time.
    case winograd2x4
    /// Errors are 2 to 2.5 times those of the direct sum, and 3 to 4 times those of the weights'
    /// gradient; the convolution takes about a third less time.
    case winograd4x4

    var tile: WinogradTile {
        switch self {
        case .winograd2x2: .twoByTwo
        case .winograd2x4: .twoByFour
        case .winograd4x4: .fourByFour
        }
    }
}
