import Autodiff
import NeuralNetworks

/// The last step of a sequence: [N, T, features] -> [N, features].
struct LastStepKind: PlainKind {
    static let name = "lastStep"

    func output(for context: LayerContext) throws(ModelError) -> FeatureShape {
        .vector(try context.sequence().features)
    }

    func layer(for context: LayerContext, stream: inout InitializationStream) -> any Layer {
        Activation { x in
            let last = slice(x, axis: 1, from: x.shape[1] - 1, count: 1)
            return reshape(last, [x.shape[0], x.shape[2]])
        }
    }
}
