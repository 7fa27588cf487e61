import NeuralNetworks
import Configuration

// Between a configuration and a translator: sizes are checked and listed without a run's having begun.

extension ModelBuilder {
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
        return ModelOutline(layers: lines, output: output, isListed: false)
    }

    /// The translator with its initial weights.
    package static func translator(
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
        case .layers, .custom:
            throw ModelError(
                path: "model", layer: model.typeName.rawValue,
                problem: "cannot turn one text into another; use a recurrentTranslator or a"
                    + " transformerTranslator")
        }
    }
}
