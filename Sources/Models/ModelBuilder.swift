import Configuration
import Kernels
import NeuralNetworks

/// Builds the network that a configuration's list of layers describes.
package enum ModelBuilder {
    /// The model's table, with every shape checked; no weights are drawn.
    package static func outline(
        of model: ModelConfiguration, input: FeatureShape, outputs: Int
    ) throws(ModelError) -> ModelOutline {
        guard !model.isTranslator else {
            return try translatorOutline(of: model, input: input, outputs: outputs)
        }
        let list = try layerList(model, input: input, outputs: outputs)
        var stream = InitializationStream.undrawn
        var layers: [LayerOutline] = []
        for entry in list.entries {
            let layer = try entry.kind.layer(for: entry.context, stream: &stream)
            layers.append(
                LayerOutline(
                    path: entry.context.path, name: entry.name, type: entry.type,
                    input: entry.context.input, output: entry.output,
                    scalarCount: layer.scalarCount))
        }
        return ModelOutline(layers: layers, output: list.output, isListed: true)
    }

    /// The list of layers with its initial weights, a pure function of the configuration and the
    /// seed.
    package static func build(
        _ model: ModelConfiguration, input: FeatureShape, outputs: Int, seed: UInt64
    ) throws(ModelError) -> Sequential {
        var stream = InitializationStream(seed: seed)
        return try layerList(model, input: input, outputs: outputs).sequential(stream: &stream)
    }

    /// The layers with their shapes, of which the last one is what the task needs.
    static func layerList(
        _ model: ModelConfiguration, input: FeatureShape, outputs: Int
    ) throws(ModelError) -> LayerList {
        let list = try LayerList(
            model.layers, path: "model.layers", input: input, outputs: outputs,
            tile: model.convolution.tile)
        let wanted = input.scores(outputs)
        guard let last = list.entries.last, last.output == wanted else {
            let last = list.entries.last?.context
            throw ModelError(
                path: last?.path ?? "model.layers", layer: last?.layer ?? "empty",
                problem: "the last layer must give \(wanted.messageAsScores), but gives"
                    + " \(list.output)")
        }
        return list
    }
}
