// `data.format: "idx"`: images and labels in four IDX files, named one by one or by their folder.

import Configuration

/// The files of MNIST and its successors.
package struct IDXFormat: DataFormat {
    package static let name = "idx"
    package static let keys = ["directory"] + fileKeys

    /// In the order of `paths`.
    private static let fileKeys = ["trainImages", "trainLabels", "testImages", "testLabels"]

    /// The file names that MNIST and its successors are published under.
    private static let standardNames = [
        "trainImages": "train-images-idx3-ubyte.gz", "trainLabels": "train-labels-idx1-ubyte.gz",
        "testImages": "t10k-images-idx3-ubyte.gz", "testLabels": "t10k-labels-idx1-ubyte.gz",
    ]

    /// Where file names without a leading "/" are looked up; nil: the working folder.
    private var directory: String?
    /// As the configuration names them, by key.
    private var files: [String: String] = [:]

    package init(_ data: ConfigurationReader) throws(ConfigurationError) {
        directory = try data.text("directory")
        for key in Self.fileKeys {
            if let name = try data.text(key) {
                files[key] = name
            } else if directory != nil {
                files[key] = Self.standardNames[key]
            } else {
                throw data.missing(key, "a file's path, or \"data.directory\" for all four files")
            }
        }
    }

    package var resolved: [String: ConfigurationValue] {
        var members = files.mapValues { ConfigurationValue.string($0) }
        members["directory"] = directory.map { .string($0) }
        return members
    }

    package var paths: [String] {
        get { Self.fileKeys.map(path) }
        set {
            files = Dictionary(uniqueKeysWithValues: zip(Self.fileKeys, newValue))
            directory = nil
        }
    }

    private func path(_ key: String) -> String {
        let name = files[key] ?? ""
        guard let directory, !name.hasPrefix("/") else { return name }
        return directory.hasSuffix("/") ? directory + name : "\(directory)/\(name)"
    }

    private func paths(of split: Split) -> (images: String, labels: String) {
        switch split {
        case .training: (path("trainImages"), path("trainLabels"))
        case .test: (path("testImages"), path("testLabels"))
        }
    }

    package func columns(of split: Split) throws(DataError) -> [Column.Outline] {
        let (images, labels) = paths(of: split)
        let outline = try IDXReader.outline(ofImages: images)
        return try Self.outlines(
            outline, images: images, try IDXReader.readLabels(labels), labels: labels)
    }

    package func read(_ split: Split) throws(DataError) -> Dataset {
        let (images, labels) = paths(of: split)
        let labelValues = try IDXReader.readLabels(labels)
        let read = try IDXReader.readImages(images)
        let outlines = try Self.outlines(read.outline, images: images, labelValues, labels: labels)
        return Dataset(
            name: images,
            columns: [
                Column(outlines[0], .images(read.pixels)),
                Column(outlines[1], .labels(outlines[1].labels)),
            ])
    }

    private static func outlines(
        _ outline: ImageOutline, images: String, _ labelValues: [UInt8], labels: String
    ) throws(DataError) -> [Column.Outline] {
        guard labelValues.count == outline.count else {
            throw DataError(
                file: labels,
                problem: .countMismatch(
                    labels: labelValues.count, images: outline.count, imageFile: images))
        }
        return [
            Column.Outline(
                name: "image", file: images, count: outline.count,
                kind: .image(
                    height: outline.height, width: outline.width, channels: outline.channels)),
            Column.Outline(
                name: "label", file: labels, count: outline.count, kind: .label,
                labels: labelValues.map { Int32($0) }),
        ]
    }
}
