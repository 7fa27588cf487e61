// What a run trains on. The format decides which keys "data" takes and what the run's task is.

import Configuration

/// The samples of a run.
package enum DataConfiguration: Sendable, Equatable {
    package enum Format: String, CaseIterable, Sendable { case idx, text, pairs, own }
    /// What becomes of the samples that do not fill the last step of an epoch.
    package enum LastBatch: String, CaseIterable, Sendable { case pad, drop }

    /// Labelled images, to be classified.
    case images(ImageDataConfiguration)
    /// A text, whose next symbol is to be predicted.
    case text(TextDataConfiguration)
    /// Pairs of texts, one to be turned into the other.
    case pairs(PairDataConfiguration)
    /// The tensors of a program.
    case own(CustomDataConfiguration)

    init(_ parent: ConfigurationReader) throws(ConfigurationError) {
        guard parent.has("data") else { throw parent.missing("data", "an object") }
        let open = try parent.object(
            "data",
            keys: ImageDataConfiguration.keys + TextDataConfiguration.keys
                + PairDataConfiguration.keys + CustomDataConfiguration.keys)
        switch try open.name("format", Format.self) ?? .idx {
        case .idx: self = .images(try ImageDataConfiguration(parent))
        case .text: self = .text(try TextDataConfiguration(parent))
        case .pairs: self = .pairs(try PairDataConfiguration(parent))
        case .own: self = .own(try CustomDataConfiguration(parent))
        }
    }

    var resolved: ConfigurationValue {
        switch self {
        case .images(let images): images.resolved
        case .text(let text): text.resolved
        case .pairs(let pairs): pairs.resolved
        case .own(let own): own.resolved
        }
    }

    /// The part for images; nil for other data.
    package var images: ImageDataConfiguration? {
        if case .images(let images) = self { images } else { nil }
    }

    package var isText: Bool { if case .text = self { true } else { false } }
    package var isPairs: Bool { if case .pairs = self { true } else { false } }

    /// The same files by name in another folder.
    package func relocated(to directory: String) -> DataConfiguration {
        switch self {
        case .images(let images): return .images(images.relocated(to: directory))
        case .text, .pairs:
            return mappingPaths { path in
                let name = path.split(separator: "/").last.map(String.init) ?? path
                return directory.hasSuffix("/") ? directory + name : "\(directory)/\(name)"
            }
        case .own: return self
        }
    }

    /// The same with each path changed.
    package func mappingPaths(_ change: (String) -> String) -> DataConfiguration {
        switch self {
        case .images(var images):
            images.trainImages = change(images.trainImagesPath)
            images.trainLabels = change(images.trainLabelsPath)
            images.testImages = change(images.testImagesPath)
            images.testLabels = change(images.testLabelsPath)
            images.directory = nil
            return .images(images)
        case .text(var text):
            text.path = change(text.path)
            return .text(text)
        case .pairs(let pairs): return .pairs(pairs.mappingPaths(change))
        case .own: return self
        }
    }

    package var lastBatch: LastBatch {
        switch self {
        case .images(let images): images.lastBatch
        case .text(let text): text.lastBatch
        case .pairs(let pairs): pairs.lastBatch
        case .own(let own): own.lastBatch
        }
    }
}
