import Autodiff
import Configuration
import NeuralNetworks
import Tensors

/// A kind that is a stack of recurrent layers; the kinds differ in the cell alone.
protocol RecurrentKind: LayerKind {
    var options: RecurrentStackOptions { get }

    /// Layers of this cell without skips.
    func layer(
        inputs: Int, units: Int, _ settings: RecurrentOptions, stream: inout InitializationStream
    ) -> any RecurrentLayer
}

extension RecurrentKind {
    static var keys: [String] { RecurrentStackOptions.keys }

    var resolved: [String: ConfigurationValue] { options.resolved }

    func output(for context: LayerContext) throws(ModelError) -> FeatureShape {
        _ = try context.sequence()
        return context.input.with(features: options.outputFeatures)
    }

    /// With skips each layer of the stack is one of its own, and each direction a stack of its own.
    func layer(
        for context: LayerContext, stream: inout InitializationStream
    ) throws(ModelError) -> any Layer {
        let (_, inputs) = try context.sequence()
        guard options.skip != .none else {
            return layer(
                inputs: inputs, units: options.hiddenSize,
                .init(
                    layers: options.layers, bidirectional: options.bidirectional,
                    bias: options.bias, batchFirst: true, dropout: Float(options.dropout)),
                stream: &stream)
        }
        guard options.bidirectional else {
            return skipped(inputs, batchFirst: true, stream: &stream)
        }
        let forward = skipped(inputs, batchFirst: false, stream: &stream)
        let backward = skipped(inputs, batchFirst: false, stream: &stream)
        return Bidirectional(forward: forward, backward: backward, batchFirst: true)
    }

    private func skipped(
        _ inputs: Int, batchFirst: Bool, stream: inout InitializationStream
    ) -> any RecurrentLayer {
        let dropout = Float(options.dropout)
        let units = options.hiddenSize
        var layers: [any RecurrentLayer] = []
        for position in 0..<options.layers {
            layers.append(
                layer(
                    inputs: position == 0 ? inputs : units, units: units,
                    .init(bias: options.bias), stream: &stream))
        }
        return options.skip == .residual
            ? ResidualRecurrent(layers, dropout: dropout, batchFirst: batchFirst)
            : HighwayRecurrent(layers, dropout: dropout, batchFirst: batchFirst, stream: &stream)
    }

    func steps(
        of layer: any Layer, for context: LayerContext
    ) throws(ModelError) -> any StepwiseLayer {
        guard !options.bidirectional else {
            throw context.cannotContinue(
                "it is bidirectional, so it needs the end of a text first")
        }
        return RecurrentSteps(built(layer))
    }
}

/// Recurrent layers that go on from their states.
private final class RecurrentSteps: StepwiseLayer {
    private let layer: any RecurrentLayer
    /// Values alone: a tape lasts for one call.
    private var states: [(hidden: Tensor, cell: Tensor?)]?

    init(_ layer: any RecurrentLayer) { self.layer = layer }

    var isBounded: Bool { false }

    func callAsFunction(_ x: Variable, first: Int) -> Variable {
        let initial = states?.map {
            RecurrentState(
                hidden: x.tape.constant($0.hidden), cell: $0.cell.map { x.tape.constant($0) })
        }
        let result = layer(x, initial: initial, lengths: nil)
        states = result.final.map { ($0.hidden.value, $0.cell?.value) }
        return result.output
    }

    func removeAll() { states = nil }
}
