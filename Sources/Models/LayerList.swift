import Kernels
import NeuralNetworks

/// A list of layers whose shapes are settled: no memory is taken before they are known to fit, so a
/// mistake is found before any worker starts.
package struct LayerList {
    /// One layer with its place and its shapes.
    package struct Entry {
        package let name: String
        package let kind: any LayerKind
        package let context: LayerContext
        package let output: FeatureShape

        package var type: String { Swift.type(of: kind).name }
    }

    package let entries: [Entry]
    /// The shape behind the last layer.
    package let output: FeatureShape

    /// Settles layers one after another.
    /// - Parameter outputs: the classes or symbols of the task.
    package init(
        _ layers: [LayerConfiguration], path: String, input: FeatureShape, outputs: Int,
        tile: WinogradTile
    ) throws(ModelError) {
        var entries: [Entry] = []
        var shape = input
        for (position, layer) in layers.enumerated() {
            let name = layer.effectiveName(at: position)
            let context = LayerContext(
                input: shape, outputs: outputs, tile: tile, path: "\(path).\(position)",
                layer: "\(layer.type) \"\(name)\"")
            shape = try layer.kind.output(for: context)
            entries.append(Entry(name: name, kind: layer.kind, context: context, output: shape))
        }
        self.entries = entries
        output = shape
    }

    /// Layers within a block, whose place and input are `context`'s.
    init(
        _ layers: [LayerConfiguration], key: String, in context: LayerContext
    ) throws(ModelError) {
        try self.init(
            layers, path: "\(context.path).\(key)", input: context.input, outputs: context.outputs,
            tile: context.tile)
    }

    /// The layers with their initial weights.
    package func sequential(stream: inout InitializationStream) throws(ModelError) -> Sequential {
        var layers: [(name: String, layer: any Layer)] = []
        for entry in entries {
            layers.append(
                (entry.name, try entry.kind.layer(for: entry.context, stream: &stream)))
        }
        return Sequential(named: layers)
    }

    /// The layers of `network`, which this list describes, for a text that is read symbol by
    /// symbol.
    package func steps(of network: Sequential) throws(ModelError) -> [any StepwiseLayer] {
        let members = network.members
        precondition(members.count == entries.count, "\(members.count) of \(entries.count) layers")
        var steps: [any StepwiseLayer] = []
        for (entry, layer) in zip(entries, members) {
            steps.append(try entry.kind.steps(of: layer, for: entry.context))
        }
        return steps
    }
}
