import ExitCodes

/// What flows between two layers, for one sample.
package enum FeatureShape: Equatable, Sendable, CustomStringConvertible {
    /// Channels x height x width.
    case image(channels: Int, height: Int, width: Int)
    /// So many features.
    case vector(Int)
    /// So many symbols.
    case tokens(Int)
    /// A text of up to so many symbols, out of so many.
    case source(symbols: Int, limit: Int)
    /// Steps, each with so many features.
    case sequence(length: Int, features: Int)

    /// In PyTorch's order: `32x14x14`, `10`, `64 symbols` or `64 steps of 128`.
    package var description: String {
        switch self {
        case .image(let channels, let height, let width): "\(channels)x\(height)x\(width)"
        case .vector(let features): "\(features)"
        case .tokens(let length): "\(length) symbols"
        case .source(let symbols, let limit): "up to \(limit) of \(symbols) symbols"
        case .sequence(let length, let features): "\(length) steps of \(features)"
        }
    }

    package var count: Int {
        switch self {
        case .image(let channels, let height, let width): channels * height * width
        case .vector(let features): features
        case .tokens(let length): length
        case .source(_, let limit): limit
        case .sequence(let length, let features): length * features
        }
    }
}

extension FeatureShape {
    /// For messages: what kind of thing it is, with its sizes.
    var words: String {
        switch self {
        case .image: "an image \(self)"
        case .vector: "a vector of \(self) features"
        case .tokens: "\(self)"
        case .source: "a text of \(self)"
        case .sequence: "a sequence of \(self)"
        }
    }

    var isSource: Bool { if case .source = self { true } else { false } }

    /// For messages about what a model's last layer has to give.
    var wordsAsOutput: String {
        if case .vector(let classes) = self { return "\(classes) features, one per class" }
        return "\(self), one per symbol"
    }
}

/// A layer of the configuration that cannot take what the layer before it gives.
package struct ModelError: ExitCoded, Equatable, CustomStringConvertible {
    /// Where in the configuration: `model.layers.3`.
    package let path: String
    /// The layer's name and type.
    package let layer: String
    package let problem: String

    package init(path: String, layer: String, problem: String) {
        self.path = path
        self.layer = layer
        self.problem = problem
    }

    package var description: String { "\(path) (\(layer)): \(problem)" }
    package var exitCode: ExitCode { .usage }
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

extension ModelOutline {
    /// The table of a network that a program defines: one line.
    package init(
        own name: String, program: String, input: FeatureShape, output: FeatureShape,
        scalarCount: Int
    ) {
        self.init(
            layers: [
                LayerOutline(
                    path: "model", name: name, type: program, input: input, output: output,
                    scalarCount: scalarCount)
            ], output: output)
    }
}

/// A model's layers and sizes, without its weights.
package struct ModelOutline: Equatable, Sendable {
    package let layers: [LayerOutline]
    package let output: FeatureShape
    /// Trained scalars.
    package var scalarCount: Int { layers.reduce(0) { $0 + $1.scalarCount } }
}
