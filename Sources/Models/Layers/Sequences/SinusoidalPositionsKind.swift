import NeuralNetworks

/// Sines and cosines of the position, added; nothing is trained.
struct SinusoidalPositionsKind: PlainKind {
    static let name = "sinusoidalPositions"

    func output(for context: LayerContext) throws(ModelError) -> FeatureShape {
        _ = try context.sequence()
        return context.input
    }

    func layer(
        for context: LayerContext, stream: inout InitializationStream
    ) throws(ModelError) -> any Layer {
        let (length, features) = try context.sequence()
        return SinusoidalPositions(length, features)
    }

    func steps(of layer: any Layer, for context: LayerContext) -> any StepwiseLayer {
        let positions: SinusoidalPositions = built(layer)
        return PositionSteps { positions($0, first: $1) }
    }
}
