import NeuralNetworks

/// The mean of each channel of an image.
struct GlobalAveragePoolKind: PlainKind {
    static let name = "globalAveragePool"

    func output(for context: LayerContext) throws(ModelError) -> FeatureShape {
        .image(channels: try context.image().channels, height: 1, width: 1)
    }

    func layer(for context: LayerContext, stream: inout InitializationStream) -> any Layer {
        GlobalAveragePool()
    }
}
