import Autodiff
import NeuralNetworks

/// The last step of a sequence: [N, T, features] -> [N, features].
struct LastStepKind: PlainKind {
    static let name = "lastStep"

    func output(for context: LayerContext) throws(ModelError) -> FeatureShape {
        .vector(try context.sequence().features)
    }

    func layer(for context: LayerContext, stream: inout InitializationStream) -> any Layer {
        LastStep()
    }
}

private struct LastStep: Layer {
    func callAsFunction(_ x: Variable) -> Variable {
        let last = slice(x, axis: 1, from: x.shape[1] - 1, count: 1)
        return reshape(last, [x.shape[0], x.shape[2]])
    }

    /// The last step within the length of each sequence; of an empty one the first step, whose
    /// values mean nothing.
    func callAsFunction(_ x: Features) -> Features {
        guard let lengths = x.lengths else { return Features(self(x.values)) }
        let (samples, steps, width) = (x.values.shape[0], x.values.shape[1], x.values.shape[2])
        let rows = lengths.enumerated().map { Int32($0.offset * steps) + max($0.element - 1, 0) }
        return Features(
            indexSelect(reshape(x.values, [samples * steps, width]), Indices(rows, [samples])))
    }
}
