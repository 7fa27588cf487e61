import Tensors

/// The shape of what flows between two layers, for one sample.
package enum FeatureShape: Equatable, Sendable, CustomStringConvertible {
    /// Channels x height x width.
    case image(channels: Int, height: Int, width: Int)
    /// A number of features.
    case vector(Int)
    /// A number of symbols.
    case tokens(Int)
    /// A text of at most `limit` symbols of a vocabulary of `symbols`.
    case source(symbols: Int, limit: Int)
    /// `length` steps of `features` each.
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

    /// The kind of shape with its sizes, as messages name it.
    package var message: String {
        switch self {
        case .image: "an image \(self)"
        case .vector: "a vector of \(self) features"
        case .tokens: "\(self)"
        case .source: "a text of \(self)"
        case .sequence: "a sequence of \(self)"
        }
    }

    /// The sizes of one sample's tensor, channels last.
    package var sampleShape: Shape {
        switch self {
        case .image(let channels, let height, let width): [height, width, channels]
        case .vector(let features): [features]
        case .tokens(let length): [length]
        case .source(_, let limit): [limit]
        case .sequence(let length, let features): [length, features]
        }
    }

    /// The shape of a sample's tensor; nil for one with more dimensions than three.
    package init?(sample: Shape) {
        let sizes = sample.dimensions
        switch sizes.count {
        case 1: self = .vector(sizes[0])
        case 2: self = .sequence(length: sizes[0], features: sizes[1])
        case 3: self = .image(channels: sizes[2], height: sizes[0], width: sizes[1])
        default: return nil
        }
    }

    /// The scores that classification needs of one sample.
    package func outputShape(_ outputs: Int) -> Shape {
        if case .tokens(let length) = self { return [length, outputs] }
        return [outputs]
    }
}

// The sizes of each case, so that nothing else has to tell the cases apart.
extension FeatureShape {
    package var image: (channels: Int, height: Int, width: Int)? {
        if case .image(let channels, let height, let width) = self {
            (channels, height, width)
        } else {
            nil
        }
    }

    package var vector: Int? { if case .vector(let features) = self { features } else { nil } }

    package var tokens: Int? { if case .tokens(let length) = self { length } else { nil } }

    package var source: (symbols: Int, limit: Int)? {
        if case .source(let symbols, let limit) = self { (symbols, limit) } else { nil }
    }

    package var sequence: (length: Int, features: Int)? {
        if case .sequence(let length, let features) = self { (length, features) } else { nil }
    }

    /// The same with another last size; symbols stay as they are.
    func with(features: Int) -> FeatureShape {
        switch self {
        case .image(_, let height, let width):
            .image(channels: features, height: height, width: width)
        case .vector: .vector(features)
        case .sequence(let length, _): .sequence(length: length, features: features)
        case .tokens, .source: self
        }
    }

    package var count: Int { sampleShape.count }

    /// What a classifier with this input has to give: scores for the sample, or for each symbol.
    package func scores(_ outputs: Int) -> FeatureShape {
        if let length = tokens { return .sequence(length: length, features: outputs) }
        return .vector(outputs)
    }

    /// For messages about what a model's last layer has to give.
    var messageAsScores: String {
        if let classes = vector { return "\(classes) features, one per class" }
        return "\(self), one per symbol"
    }
}
