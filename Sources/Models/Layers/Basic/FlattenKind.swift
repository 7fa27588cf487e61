import NeuralNetworks

/// All values of a sample as one vector, in PyTorch's order.
struct FlattenKind: PlainKind {
    static let name = "flatten"

    func output(for context: LayerContext) -> FeatureShape { .vector(context.input.count) }

    func layer(for context: LayerContext, stream: inout InitializationStream) -> any Layer {
        Activation.flatten
    }
}
