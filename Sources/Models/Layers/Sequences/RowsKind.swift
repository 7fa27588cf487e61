import Autodiff
import NeuralNetworks

/// The rows of an image, top to bottom, as a sequence: [N, H, W, C] -> [N, H, W C].
struct RowsKind: PlainKind {
    static let name = "rows"

    func output(for context: LayerContext) throws(ModelError) -> FeatureShape {
        let (channels, height, width) = try context.image()
        return .sequence(length: height, features: width * channels)
    }

    func layer(for context: LayerContext, stream: inout InitializationStream) -> any Layer {
        Activation { x in reshape(x, [x.shape[0], x.shape[1], x.shape[2] * x.shape[3]]) }
    }
}
