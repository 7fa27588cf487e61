import Autodiff
import Configuration
import NeuralNetworks

/// The sum of what `layers` and `shortcut` make of the same input; without a shortcut the input
/// itself is added. Parameters of the shortcut are named "<layer>.shortcut.<name>.weight".
struct ResidualKind: LayerKind {
    static let name = "residual"
    static let keys = ["layers", "shortcut"]

    let layers: [LayerConfiguration]
    let shortcut: [LayerConfiguration]

    init(_ reader: ConfigurationReader) throws(ConfigurationError) {
        guard let layers = try LayerConfiguration.list(reader, "layers"), !layers.isEmpty else {
            throw reader.missing("layers", "a list of layers")
        }
        self.layers = layers
        shortcut = try LayerConfiguration.list(reader, "shortcut") ?? []
    }

    var resolved: [String: ConfigurationValue] {
        [
            "layers": .array(layers.map(\.resolved)),
            "shortcut": .array(shortcut.map(\.resolved)),
        ]
    }

    func output(for context: LayerContext) throws(ModelError) -> FeatureShape {
        let (main, side) = try branches(context)
        guard main.output == side.output else {
            let source = shortcut.isEmpty ? "its input is" : "its shortcut gives"
            throw context.failure(
                "its layers give \(main.output) but \(source) \(side.output); both are added, so"
                    + " give it a shortcut (for example a 1x1 conv2d with the same stride)")
        }
        return main.output
    }

    func layer(
        for context: LayerContext, stream: inout InitializationStream
    ) throws(ModelError) -> any Layer {
        let (main, side) = try branches(context)
        let layers = try main.sequential(stream: &stream)
        return Residual(layers, shortcut: try side.sequential(stream: &stream))
    }

    func steps(
        of layer: any Layer, for context: LayerContext
    ) throws(ModelError) -> any StepwiseLayer {
        let (main, side) = try branches(context)
        let block: Residual = built(layer)
        return ResidualSteps(
            layers: try main.steps(of: block.layers), shortcut: try side.steps(of: block.shortcut))
    }

    private func branches(
        _ context: LayerContext
    ) throws(ModelError) -> (layers: LayerList, shortcut: LayerList) {
        (
            try LayerList(layers, key: "layers", in: context),
            try LayerList(shortcut, key: "shortcut", in: context)
        )
    }
}

private struct ResidualSteps: StepwiseLayer {
    let layers: [any StepwiseLayer]
    let shortcut: [any StepwiseLayer]

    var isBounded: Bool { (layers + shortcut).contains(where: \.isBounded) }

    func callAsFunction(_ x: Variable, first: Int) -> Variable {
        let side = shortcut.reduce(x) { $1($0, first: first) }
        return add(layers.reduce(x) { $1($0, first: first) }, side)
    }

    func removeAll() { for layer in layers + shortcut { layer.removeAll() } }
}
