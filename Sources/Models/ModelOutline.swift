/// One line of a model's table.
package struct LayerOutline: Equatable, Sendable {
    package let path: String
    package let name: String
    package let type: String
    package let input: FeatureShape
    package let output: FeatureShape
    /// Trained scalars of the layer, those of blocks within it included.
    package let scalarCount: Int
}

/// A model's layers and sizes, without its weights.
package struct ModelOutline: Equatable, Sendable {
    package let layers: [LayerOutline]
    package let output: FeatureShape
    /// Whether the configuration lists the layers; a named architecture consists of parts that it
    /// does not show.
    package let isListed: Bool
    /// Trained scalars.
    package var scalarCount: Int { layers.reduce(0) { $0 + $1.scalarCount } }
}

extension ModelOutline {
    /// The table of a network that a program defines: one line.
    package init(
        custom name: String, program: String, input: FeatureShape, output: FeatureShape,
        scalarCount: Int
    ) {
        self.init(
            layers: [
                LayerOutline(
                    path: "model", name: name, type: program, input: input, output: output,
                    scalarCount: scalarCount)
            ], output: output, isListed: true)
    }
}
