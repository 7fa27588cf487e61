import NeuralNetworks
import Configuration

// From a configuration to a translator: sizes are checked and listed before a run begins.

extension ModelBuilder {
    /// The table of a translator: its parts and what each of them trains.
    static func translatorOutline(
        of model: ModelConfiguration, input: FeatureShape, outputs: Int
    ) throws(ModelError) -> ModelOutline {
        let network = try translator(
            model, input: input, outputs: outputs, stream: .undrawn)
        let output = FeatureShape.source(symbols: outputs, limit: network.targetLimit)
        let lines = network.parts.compactMap { name, part -> LayerOutline? in
            guard let part = part as? any Module else { return nil }
            return LayerOutline(
                path: "model", name: name, type: String(describing: type(of: part)),
                input: input, output: output, scalarCount: part.scalarCount)
        }
        return ModelOutline(layers: lines, output: output, isListed: false)
    }

    /// The translator with its initial weights, a pure function of the configuration and the seed.
    package static func translator(
        _ model: ModelConfiguration, input: FeatureShape, outputs: Int, seed: UInt64
    ) throws(ModelError) -> any Translator {
        try translator(
            model, input: input, outputs: outputs, stream: InitializationStream(seed: seed))
    }

    private static func translator(
        _ model: ModelConfiguration, input: FeatureShape, outputs: Int,
        stream: InitializationStream
    ) throws(ModelError) -> any Translator {
        guard let (symbols, limit) = input.source else {
            throw ModelError(
                path: "model", layer: model.typeName.rawValue,
                problem: "needs pairs of texts, but its input is \(input.message)")
        }
        var stream = stream
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
        case .layers, .custom:
            throw ModelError(
                path: "model", layer: model.typeName.rawValue,
                problem: "cannot turn one text into another; use a recurrentTranslator or a"
                    + " transformerTranslator")
        }
    }
}
