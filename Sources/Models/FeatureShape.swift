/// What flows between two layers, for one sample.
package enum FeatureShape: Equatable, Sendable, CustomStringConvertible {
    /// Channels x height x width.
    case image(channels: Int, height: Int, width: Int)
    /// So many features.
    case vector(Int)

    /// In PyTorch's order: `32x14x14`, or `10`.
    package var description: String {
        switch self {
        case .image(let channels, let height, let width): "\(channels)x\(height)x\(width)"
        case .vector(let features): "\(features)"
        }
    }

    package var count: Int {
        switch self {
        case .image(let channels, let height, let width): channels * height * width
        case .vector(let features): features
        }
    }
}

/// A layer of the configuration that cannot take what the layer before it gives.
package struct ModelError: Error, Equatable, CustomStringConvertible {
    /// Where in the configuration: `model.layers.3`.
    package let path: String
    /// The layer's name and type.
    package let layer: String
    package let problem: String

    package var description: String { "\(path) (\(layer)): \(problem)" }
}

/// One line of a model's table.
package struct LayerOutline: Equatable, Sendable {
    package let path: String
    package let name: String
    package let type: String
    package let input: FeatureShape
    package let output: FeatureShape
    package let scalarCount: Int
}

/// A model's layers and sizes, without its weights.
package struct ModelOutline: Equatable, Sendable {
    package let layers: [LayerOutline]
    package let output: FeatureShape
    /// Trained scalars.
    package var scalarCount: Int { layers.reduce(0) { $0 + $1.scalarCount } }
}
