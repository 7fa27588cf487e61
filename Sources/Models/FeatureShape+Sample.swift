import Tensors

extension FeatureShape {
    /// The sizes of one sample's tensor.
    package var sampleShape: Shape {
        switch self {
        case .image(let channels, let height, let width): [height, width, channels]
        case .vector(let features): [features]
        case .tokens(let length): [length]
        case .source(_, let limit): [limit]
        case .sequence(let length, let features): [length, features]
        }
    }

    /// What one sample's tensor is to a network; nil for one with more dimensions than three.
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
