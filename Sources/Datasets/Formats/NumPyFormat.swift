// `data.format: "numpy"`: images and labels in four arrays of NumPy, each in a file (.npy) or all
// in one archive (.npz).

import Configuration

/// Arrays that np.save, np.savez or np.savez_compressed wrote.
package struct NumPyFormat: DataFormat {
    package static let name = "numpy"
    package static let keys = ["path", "directory"] + arrayKeys

    /// In the order of `paths`.
    private static let arrayKeys = ["trainImages", "trainLabels", "testImages", "testLabels"]

    /// What Keras calls the arrays of the data sets that it publishes.
    private static let standardNames = [
        "trainImages": "x_train", "trainLabels": "y_train", "testImages": "x_test",
        "testLabels": "y_test",
    ]

    /// The archive; nil: four files.
    private var archive: String?
    /// Where file names without a leading "/" are looked up; nil: the working folder.
    private var directory: String?
    /// The names of arrays in the archive, or of files, by key.
    private var names: [String: String] = [:]

    package init(_ data: ConfigurationReader) throws(ConfigurationError) {
        archive = try data.text("path")
        directory = try data.text("directory")
        guard archive == nil || directory == nil else {
            throw data.conflict(
                "directory", "\"data.path\" names the file of all four arrays already")
        }
        for key in Self.arrayKeys {
            let standardName = Self.standardNames[key] ?? key
            if let name = try data.text(key) {
                names[key] = name
            } else if archive != nil {
                names[key] = standardName
            } else if directory != nil {
                names[key] = standardName + ".npy"
            } else {
                throw data.missing(
                    key,
                    "an .npy file's path, or \"data.directory\" for all four files, or "
                        + "\"data.path\" for one .npz file")
            }
        }
    }

    package var resolved: [String: ConfigurationValue] {
        var members = names.mapValues { ConfigurationValue.string($0) }
        members["path"] = archive.map { .string($0) }
        members["directory"] = directory.map { .string($0) }
        return members
    }

    package var paths: [String] {
        get { archive.map { [$0] } ?? Self.arrayKeys.map(path) }
        set {
            if archive != nil {
                archive = newValue.first
            } else {
                names = Dictionary(uniqueKeysWithValues: zip(Self.arrayKeys, newValue))
                directory = nil
            }
        }
    }

    private func path(_ key: String) -> String {
        let name = names[key] ?? ""
        guard let directory, !name.hasPrefix("/") else { return name }
        return directory.hasSuffix("/") ? directory + name : "\(directory)/\(name)"
    }

    package func columns(of split: Split) throws(DataError) -> [Column.Outline] {
        try open(split).outlines
    }

    package func read(_ split: Split) throws(DataError) -> Dataset {
        let (outlines, images) = try open(split)
        let pixels = try images.pixels(try outlines[0].images())
        return Dataset(
            name: images.name,
            columns: [
                Column(outlines[0], .images(pixels)),
                Column(outlines[1], .labels(outlines[1].labels)),
            ])
    }

    /// The columns of a split, its labels read, and the array of images, whose pixels come next.
    private func open(
        _ split: Split
    ) throws(DataError) -> (outlines: [Column.Outline], images: NumPyArray) {
        let isTraining = split == .training
        let images = try array(isTraining ? "trainImages" : "testImages")
        let outline = try images.imageOutline()
        let labels = try array(isTraining ? "trainLabels" : "testLabels")
        let values = try labels.labels()
        guard values.count == outline.count else {
            throw DataError(
                file: labels.name,
                problem: .countMismatch(
                    labels: values.count, images: outline.count, imageFile: images.name))
        }
        return (
            [
                Column.Outline(
                    name: "image", file: images.name, count: outline.count,
                    kind: .image(
                        height: outline.height, width: outline.width, channels: outline.channels)),
                Column.Outline(
                    name: "label", file: labels.name, count: outline.count, kind: .label,
                    labels: values),
            ], images
        )
    }

    private func array(_ key: String) throws(DataError) -> NumPyArray {
        guard let archive else { return try NumPyArray(Self.source(path(key))) }
        let source = try Self.source(archive)
        guard try ZipArchive.begins(source) else {
            throw DataError(
                file: archive,
                problem: .unreadable(
                    reason: "it is no archive of arrays (.npz); name .npy files one by one in "
                        + "data.trainImages and so on, without data.path"))
        }
        let zip = try ZipArchive(source)
        let name = names[key] ?? ""
        // Of several of one name Python takes the last.
        guard let entry = zip.entries.last(where: { $0.name == name + ".npy" }) else {
            let known = zip.entries.prefix(10).map { String(reflecting: Self.arrayName($0.name)) }
            throw DataError(
                file: archive,
                problem: .unreadable(
                    reason: "it holds no array \"\(name)\" (data.\(key)), but "
                        + (known.isEmpty ? "none at all" : known.joined(separator: ", "))))
        }
        return try NumPyArray(zip.open(entry, name: "\(archive): \(name)"))
    }

    private static func arrayName(_ entryName: String) -> String {
        String((entryName.hasSuffix(".npy") ? entryName.dropLast(4) : entryName[...]).prefix(60))
    }

    /// A file; one that is missing has other remedies here than Fashion-MNIST's.
    private static func source(_ path: String) throws(DataError) -> ByteSource {
        do {
            return try ByteSource(path: path)
        } catch {
            guard error.problem == .missing else { throw error }
            throw DataError(file: path, problem: .unreadable(reason: "there is no such file"))
        }
    }
}
