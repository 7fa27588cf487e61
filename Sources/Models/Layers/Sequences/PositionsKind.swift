import Autodiff
import NeuralNetworks

/// A learned vector for each position, added.
struct PositionsKind: PlainKind {
    static let name = "positions"

    func output(for context: LayerContext) throws(ModelError) -> FeatureShape {
        _ = try context.sequence()
        return context.input
    }

    func layer(
        for context: LayerContext, stream: inout InitializationStream
    ) throws(ModelError) -> any Layer {
        let (length, features) = try context.sequence()
        return LearnedPositions(length, features, stream: &stream)
    }

    func steps(of layer: any Layer, for context: LayerContext) -> any StepwiseLayer {
        let positions: LearnedPositions = built(layer)
        return PositionSteps { positions($0, first: $1) }
    }
}

/// Adds what belongs to the positions of the symbols, of which there are only as many as in
/// training.
struct PositionSteps: StepwiseLayer {
    let positions: (_ x: Variable, _ first: Int) -> Variable

    var isBounded: Bool { true }
    func callAsFunction(_ x: Variable, first: Int) -> Variable { positions(x, first) }
    func removeAll() {}
}
