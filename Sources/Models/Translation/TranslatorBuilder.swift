import NeuralNetworks
import Configuration

// Between a configuration and a translator: sizes are checked and listed without a run's having begun.

/// What a run trains.
package enum Network {
    /// Layers one after another, for images and texts.
    case layers(Sequential)
    /// An encoder and a decoder, for pairs.
    case translator(any Translator)

    /// Holds the parameters.
    package var module: any Module {
        switch self {
        case .layers(let layers): layers
        case .translator(let translator): translator
        }
    }
}

extension ModelBuilder {
    /// The network with its initial weights, a pure function of the configuration and the seed.
    package static func network(
        _ model: ModelConfiguration, input: FeatureShape, outputs: Int, seed: UInt64
    ) throws(ModelError) -> Network {
        guard model.isTranslator || input.isSource else {
            return .layers(try build(model, input: input, outputs: outputs, seed: seed))
        }
        return .translator(
            try translator(model, input: input, outputs: outputs, seed: seed))
    }

    /// The table of a translator: its parts and what each of them trains.
    static func translatorOutline(
        of model: ModelConfiguration, input: FeatureShape, outputs: Int
    ) throws(ModelError) -> ModelOutline {
        let network = try translator(model, input: input, outputs: outputs, seed: 0)
        let output = FeatureShape.source(symbols: outputs, limit: network.targetLimit)
        let lines = network.parts.compactMap { name, part -> LayerOutline? in
            guard let part = part as? any Module else { return nil }
            let count = part.namedStates.reduce(0) { sum, state in
                guard case .parameter(_, let parameter) = state else { return sum }
                return sum + parameter.shape.count
            }
            return LayerOutline(
                path: "model", name: name, type: String(describing: type(of: part)),
                input: input, output: output, scalarCount: count)
        }
        return ModelOutline(layers: lines, output: output)
    }

    private static func translator(
        _ model: ModelConfiguration, input: FeatureShape, outputs: Int, seed: UInt64
    ) throws(ModelError) -> any Translator {
        guard case .source(let symbols, let limit) = input else {
            throw ModelError(
                path: "model", layer: model.typeName.rawValue,
                problem: "needs pairs of texts, but its input is \(input.words)")
        }
        var stream = InitializationStream(seed: seed)
        // A target's mark takes a step of its own.
        switch model.architecture {
        case .recurrentTranslator(let options):
            return RecurrentTranslator(
                options, sourceSymbols: symbols, targetSymbols: outputs, targetLimit: limit + 1,
                stream: &stream)
        case .transformerTranslator(let options):
            return TransformerTranslator(
                options, sourceSymbols: symbols, sourceLimit: limit, targetSymbols: outputs,
                targetLimit: limit + 1, stream: &stream)
        case .layers, .own:
            throw ModelError(
                path: "model", layer: model.typeName.rawValue,
                problem: "cannot turn one text into another; use a recurrentTranslator or a"
                    + " transformerTranslator")
        }
    }
}
