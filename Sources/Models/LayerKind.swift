import Autodiff
import Configuration
import NeuralNetworks

// A kind of layer is one file below Layers/ and one line in LayerCatalog.swift: the file holds the
// keys with their ranges and defaults, the shape that follows from the input's, and what is built
// of them.

/// What a layer of a configuration does, with its options.
package protocol LayerKind: Sendable {
    /// The `type` that names this kind in a configuration.
    static var name: String { get }
    /// The keys that this kind takes beside "type" and "name".
    static var keys: [String] { get }

    /// Reads the options; whatever is wrong with them alone is found here.
    init(_ reader: ConfigurationReader) throws(ConfigurationError)

    /// The value in effect of every key.
    var resolved: [String: ConfigurationValue] { get }

    /// The shape of the output.
    /// - Throws: `ModelError` if the layer cannot take that input.
    func output(for context: LayerContext) throws(ModelError) -> FeatureShape

    /// The layer with its initial weights.
    /// - Throws: only what `output(for:)` throws for the same context.
    func layer(
        for context: LayerContext, stream: inout InitializationStream
    ) throws(ModelError) -> any Layer

    /// The layer for a text that is read symbol by symbol, with what it remembers of the symbols
    /// read. By default a text cannot be continued with the layer.
    /// - Parameter layer: what `layer(for:stream:)` gave.
    func steps(
        of layer: any Layer, for context: LayerContext
    ) throws(ModelError) -> any StepwiseLayer
}

extension LayerKind {
    package static var keys: [String] { [] }

    package var resolved: [String: ConfigurationValue] { [:] }

    package func steps(
        of layer: any Layer, for context: LayerContext
    ) throws(ModelError) -> any StepwiseLayer {
        throw context.cannotContinue("its output is not one per symbol")
    }
}

/// A kind whose layers treat each step of a sequence by itself, so that they remember nothing.
package protocol PositionwiseKind: LayerKind {}

extension PositionwiseKind {
    package func steps(
        of layer: any Layer, for context: LayerContext
    ) throws(ModelError) -> any StepwiseLayer {
        PositionwiseSteps(layer: layer)
    }
}

/// A kind without options.
package protocol PlainKind: LayerKind {
    init()
}

extension PlainKind {
    package init(_ reader: ConfigurationReader) throws(ConfigurationError) { self.init() }
}

/// A kind that keeps the shape, trains nothing, and is one function of each position.
package protocol ActivationKind: PositionwiseKind {
    var activation: Activation { get }
}

extension ActivationKind {
    package func output(for context: LayerContext) throws(ModelError) -> FeatureShape {
        context.input
    }

    package func layer(
        for context: LayerContext, stream: inout InitializationStream
    ) throws(ModelError) -> any Layer { activation }
}
