// Arrays as NumPy writes them (reference/make_numpy_files.py), each refusal with its words, and
// damage everywhere.

import CZlib
import Configuration
import Datasets
import Foundation
import Testing

/// Files that NumPy wrote, by name.
private let files: [String: [UInt8]] = {
    let path = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
        .appendingPathComponent("reference/numpy_files.json")
    guard let data = try? Data(contentsOf: path),
        let texts = try? JSONDecoder().decode([String: String].self, from: data)
    else { preconditionFailure("no \(path.path)") }
    return texts.mapValues { [UInt8](Data(base64Encoded: $0) ?? Data()) }
}()

/// What the script puts into them.
private let imagePixels = (0..<24).map { UInt8(truncatingIfNeeded: 7 * $0) }
private let colorPixels = (0..<36).map { UInt8(truncatingIfNeeded: 5 * $0) }
private let testPixels = (0..<16).map { UInt8(truncatingIfNeeded: 3 * $0) }

private func format(_ members: [String: String]) throws -> NumPyFormat {
    try NumPyFormat(
        ConfigurationReader(
            .object(members.mapValues { .string($0) }), origin: "test", path: "data",
            keys: NumPyFormat.keys))
}

/// Writes files into a fresh folder and hands it over.
private func inFolder<Value>(
    _ contents: [String: [UInt8]], _ body: (String) throws -> Value
) throws -> Value {
    try withFiles(contents) { path in try body(String(path("a").dropLast(2))) }
}

/// The training split of the arrays in `files`, or of an archive if that is the only one.
private func read(_ contents: [String: [UInt8]]) throws -> (columns: [Column.Outline], Dataset) {
    try inFolder(contents) { folder in
        let isArchive = contents.count == 1
        let data = try format(isArchive ? ["path": folder + "/a.npz"] : ["directory": folder])
        let columns = try data.columns(of: .training)
        let dataset = try data.read(.training)
        #expect(dataset.columns.map(\.outline) == columns)
        return (columns, dataset)
    }
}

private func read(images: [UInt8], labels: [UInt8]) throws -> ImageDataset {
    let dataset = try read(["x_train.npy": images, "y_train.npy": labels]).1
    return try ImageDataset(dataset, classes: 128)
}

/// The line that a user sees, without the folder.
private func message(_ contents: [String: [UInt8]], _ keys: [String: String] = [:]) -> String {
    do {
        return try inFolder(contents) { folder in
            let place = contents.count == 1 ? ["path": folder + "/a.npz"] : ["directory": folder]
            let data = try format(place.merging(keys) { $1 })
            do {
                _ = try data.read(.training)
                return "no error"
            } catch {
                return "\(error)".replacingOccurrences(of: folder + "/", with: "")
            }
        }
    } catch {
        return "\(error)"
    }
}

private func message(images: String = "images", labels: String = "labels-<i8") -> String {
    message([
        "x_train.npy": files["\(images).npy"] ?? [], "y_train.npy": files["\(labels).npy"] ?? [],
    ])
}

@Suite struct NumPyArrayTests {
    @Test(arguments: ["images", "images-fortran", "images-2.0", "images-3.0"])
    func imagesRead(name: String) throws {
        let dataset = try read(
            images: try #require(files["\(name).npy"]),
            labels: try #require(files["labels-<i8.npy"]))
        #expect(dataset.outline.shapeText == "1 x 2 x 4")
        #expect(dataset.pixels == imagePixels)
    }

    @Test(arguments: ["colors", "colors-fortran"])
    func colorsRead(name: String) throws {
        let dataset = try read(
            images: try #require(files["\(name).npy"]),
            labels: try #require(files["labels-<i8.npy"]))
        #expect(dataset.outline.shapeText == "3 x 2 x 2")
        #expect(dataset.pixels == colorPixels)
    }

    @Test func labelsOfEveryTypeRead() throws {
        let names = files.keys.filter { $0.hasPrefix("labels-") }.sorted()
        #expect(names.count == 18)
        for name in names {
            let dataset = try read(
                images: try #require(files["images.npy"]), labels: try #require(files[name]))
            #expect(dataset.labels == [2, 0, 127], "\(name)")
        }
    }

    /// Enough for several pieces, with the bytes of each number told apart.
    @Test func manyLabelsReadInPieces() throws {
        let numbers = (0..<300_000).map { Int32(truncatingIfNeeded: $0 &* 7_001) & Int32.max }
        var labels = npyHeader("<i8", "(300000,)")
        for number in numbers {
            labels += (0..<8).map { UInt8(truncatingIfNeeded: Int64(number) >> (8 * $0)) }
        }
        let images = npyHeader("|u1", "(300000, 1, 1)") + [UInt8](repeating: 9, count: 300_000)
        let columns = try read(["x_train.npy": images, "y_train.npy": labels]).columns
        #expect(columns[1].labels == numbers)
    }

    /// Enough for several pieces of which the last one is short.
    @Test func largeFortranOrderReads() throws {
        let (count, height, width) = (700, 53, 47)
        var images = npyHeader("|u1", "(\(count), \(height), \(width))", isFortranOrder: true)
        func pixel(_ image: Int, _ y: Int, _ x: Int) -> UInt8 {
            UInt8(truncatingIfNeeded: image &* 31 &+ y &* 17 &+ x &* 5)
        }
        for x in 0..<width {
            for y in 0..<height { images += (0..<count).map { pixel($0, y, x) } }
        }
        let labels = npyHeader("|u1", "(700, 1)") + [UInt8](repeating: 1, count: count)
        let pixels = try read(images: images, labels: labels).pixels
        #expect(pixels.count == count * height * width)
        let isRight = pixels.indices.allSatisfy {
            pixels[$0] == pixel($0 / (height * width), $0 / width % height, $0 % width)
        }
        #expect(isRight)
    }

    @Test func eachRefusalSaysWhatToDo() {
        #expect(
            message(images: "refused-float32")
                == "x_train.npy: cannot read the data file: its elements are float32, but images "
                + "are uint8, 0 to 255; save them with (255 * x).astype('uint8') if they are 0 to "
                + "1, or x.astype('uint8')")
        #expect(message(images: "refused-bool").contains("its elements are bool, but images"))
        #expect(message(images: "labels-<i8").contains("its elements are int64, but images"))
        #expect(
            message(images: "refused-flat").contains(
                "its shape is (3, 8), but images are (N, height, width) or (N, height, width, "))
        #expect(
            message(images: "refused-empty").contains(
                "dimension 0 of its shape (0, 2, 4) is 0, expected 1 to 268435456"))
        for name in ["images", "labels-<i8"] {
            let words =
                name == "images"
                ? message(images: "refused-objects") : message(labels: "refused-objects")
            #expect(words.contains("it holds Python objects (a pickle), which are never unpacked"))
        }
        #expect(message(labels: "refused-records").contains("its elements are \"records\", but"))
        #expect(
            message(labels: "refused-float-labels")
                == "y_train.npy: cannot read the data file: its elements are float64, but labels "
                + "are whole numbers; save them with y.astype('int64')")
        #expect(message(labels: "refused-one-hot").contains("with y.argmax(axis=1) if they are"))
        #expect(
            message(labels: "refused-large").contains(
                "label 9223372036854775809 of sample 2 is out of range, expected 0 to 2147483647"))
        #expect(
            message(labels: "refused-negative").contains("label -2147483649 of sample 2 is out"))
        #expect(
            message(images: "colors", labels: "images").hasPrefix(
                "y_train.npy: cannot read the data file: its shape is (3, 2, 4), but labels"))
    }

    @Test func headersThatLieAreRefused() throws {
        let labels = try #require(files["labels-<i8.npy"])
        func images(_ shape: String, _ count: Int = 24, type: String = "|u1") -> String {
            let bytes = npyHeader(type, shape) + [UInt8](repeating: 0, count: count)
            return message(["x_train.npy": bytes, "y_train.npy": labels])
        }
        #expect(images("(3, 2, 4)") == "no error")
        #expect(
            images("(3, 2, 5)")
                == "x_train.npy: truncated: expected 158 bytes, got 152; fetch the file again")
        #expect(
            images("(3, 2, 3)") == "x_train.npy: longer than its header says: bytes follow the "
                + "expected 146")
        #expect(images("(268435456, 8192, 8192, 256)").contains("truncated: expected 46116860184"))
        #expect(images("(268435457, 1, 1)").contains("expected 1 to 268435456"))
        #expect(images("(18446744073709551615, 2, 4)").contains("dimension 0 of its shape"))
        for shape in ["(18446744073709551616, 2, 4)", "(-3, 2, 4)", "(3, 2, 4", "3, 2, 4", "(,)"] {
            #expect(images(shape).contains("its header is damaged"), "\(shape)")
        }
        #expect(images("(3, 2, 4)", type: "<u+1").contains("but images are uint8"))
        #expect(images("(3, 2, 4)", type: "x\ny").contains("elements are \"x\\ny\", but"))
        #expect(images("(3, 2, 4)", type: "").contains("elements are \"\", but images are uint8"))
        let few = npyHeader("<i4", "(2,)") + [UInt8](repeating: 0, count: 8)
        #expect(
            message(["x_train.npy": files["images.npy"] ?? [], "y_train.npy": few])
                == "y_train.npy: holds 2 labels, but x_train.npy holds 3 images")
        var old = try #require(files["images.npy"])
        old[6] = 4
        #expect(
            message(["x_train.npy": old, "y_train.npy": labels])
                .contains("the format's version is 4.0, expected 1.0 to 3.0"))
        let long = Array(old[..<6]) + [2, 0, 0xff, 0xff, 0xff, 0x7f] + old
        #expect(
            message(["x_train.npy": long, "y_train.npy": labels])
                .contains("the header promises 2147483647 bytes, more than the limit of 65536"))
    }

    @Test func filesOfAnotherKindAreRefused() throws {
        let images = try #require(files["images.npy"])
        let archive = try #require(files["stored.npz"])
        #expect(message(["a.npz": images]).contains("it is no archive of arrays (.npz); name .npy"))
        #expect(
            message(["x_train.npy": archive, "y_train.npy": images])
                .contains("it is an archive of arrays (.npz), which is named in data.path"))
        #expect(
            message(["x_train.npy": idxLabels([1, 2, 3]), "y_train.npy": images])
                .contains("x_train.npy: cannot read the data file: it is no array of NumPy"))
        #expect(
            message(["y_train.npy": images, "z": []])
                == "x_train.npy: cannot read the data file: there is no such file")
    }
}

@Suite struct NumPyArchiveTests {
    @Test(arguments: ["stored", "deflated", "zip64", "comment", "fortran"])
    func bothSplitsRead(name: String) throws {
        try inFolder(["a.npz": try #require(files["\(name).npz"])]) { folder in
            let data = try format(["path": folder + "/a.npz"])
            let training = try ImageDataset(data.read(.training), classes: 128)
            #expect(training.name == folder + "/a.npz: x_train")
            #expect(training.pixels == imagePixels)
            #expect(training.labels == [2, 0, 127])
            let test = try ImageDataset(data.read(.test), classes: 3)
            #expect(test.pixels == testPixels)
            #expect(test.labels == [1, 2])
            #expect(try data.columns(of: .test).map(\.count) == [2, 2])
            // Any array of the archive may be any part.
            let swapped = try format(
                ["path": folder + "/a.npz", "testImages": "x_train", "testLabels": "y_train"])
            #expect(try swapped.columns(of: .test)[1].labels == [2, 0, 127])
        }
    }

    @Test func mistakesNameTheArray() throws {
        let stored = try #require(files["stored.npz"])
        #expect(
            message(["a.npz": stored], ["trainImages": "images"])
                == "a.npz: cannot read the data file: it holds no array \"images\" "
                + "(data.trainImages), but \"x_train\", \"y_train\", \"x_test\", \"y_test\"")
        #expect(
            message(["a.npz": stored], ["trainLabels": "y_test"])
                == "a.npz: y_test: holds 2 labels, but a.npz: x_train holds 3 images")
        #expect(
            message(["a.npz": stored], ["trainImages": "y_train"])
                .hasPrefix("a.npz: y_train: cannot read the data file: its elements are int64"))
        #expect(
            message(["a.npz": try #require(files["bzip2.npz"])])
                .hasPrefix("a.npz: x_train: cannot read the data file: it is packed by method 12"))
        #expect(
            message(["a.npz": Array(stored.dropLast())])
                .contains("the archive's directory is missing, as if the file were cut off"))
    }

    @Test func aChangedPixelIsNoticed() throws {
        var stored = try #require(files["stored.npz"])
        let start = try #require(stored.firstRange(of: imagePixels)).lowerBound
        stored[start + 5] ^= 1
        #expect(
            message(["a.npz": stored])
                == "a.npz: x_train: cannot read the data file: its bytes do not agree with their "
                + "checksum; fetch the file again")
    }

    @Test func bombsAreRefusedBeforeAnythingIsAllocated() throws {
        let labels = try #require(files["labels-<i8.npy"])
        // A gigabyte of zeros, packed honestly: 1 MB in the file.
        let bytes = npyHeader("|u1", "(131072, 128, 64)")
        let bomb = zip([
            Packed("x_train.npy", bytes, zeros: 1 << 30), Packed("y_train.npy", labels),
        ])
        #expect(bomb.count < 2 << 20)
        #expect(
            message(["a.npz": bomb]).contains(
                "a.npz: x_train: cannot read the data file: 1073741952 bytes are packed into "))
        // Sizes that deflate cannot reach, and that are too large for anything.
        for (size, words) in [
            (UInt64(1) << 27, "a.npz: x_train: truncated: expected 134217728 bytes, got"),
            (UInt64(1) << 62, "a.npz: x_train: the header promises 4611686018427387904 bytes"),
        ] {
            var lie = Packed("x_train.npy", npyHeader("|u1", "(3, 2, 4)") + imagePixels)
            lie.byteCount = size
            #expect(message(["a.npz": zip([lie, Packed("y_train.npy", labels)])]).hasPrefix(words))
        }
        // The entry's size is right for the shape, but fewer bytes or more are packed.
        for pixels in [Array(imagePixels.dropLast()), imagePixels + [0]] {
            var lie = Packed("x_train.npy", npyHeader("|u1", "(3, 2, 4)") + pixels)
            lie.byteCount = 128 + 24
            let words = message(["a.npz": zip([lie, Packed("y_train.npy", labels)])])
            #expect(words.contains(pixels.count < 24 ? "truncated: expected 152" : "longer than"))
        }
        let honest = zip([
            Packed("x_train.npy", npyHeader("|u1", "(3, 2, 4)") + imagePixels),
            Packed("y_train.npy", labels),
        ])
        #expect(message(["a.npz": honest]) == "no error")
    }
}

@Suite struct NumPyDamageTests {
    /// Each file with the key under which it is read beside whole ones.
    private static let whole = ["images", "images-fortran", "labels->i2", "labels-<i8"]
    private static let archives = ["stored", "deflated", "zip64"]

    @Test func cutAtEveryByteIsAnError() throws {
        let images = try #require(files["images.npy"])
        let labels = try #require(files["labels-<i8.npy"])
        for name in Self.whole {
            let bytes = try #require(files["\(name).npy"])
            for cut in bytes.indices {
                let part = Array(bytes[..<cut])
                let isImages = name.hasPrefix("images")
                #expect(throws: DataError.self, "\(name) cut at \(cut)") {
                    try read(images: isImages ? part : images, labels: isImages ? labels : part)
                }
            }
        }
        for name in Self.archives {
            let bytes = try #require(files["\(name).npz"])
            for cut in bytes.indices {
                #expect(throws: DataError.self, "\(name) cut at \(cut)") {
                    try read(["a.npz": Array(bytes[..<cut])])
                }
            }
        }
    }

    @Test func changedBytesNeverTrapAndArchivesNoticeThem() throws {
        let seed: UInt64 = 90_210
        print("mutations of NumPy's files: seed \(seed)")
        var generator = TestGenerator(state: seed)
        var outcomes = 0
        var refusals = 0
        for round in 0..<2000 {
            let isArchive = round % 2 == 0
            let names = isArchive ? Self.archives : Self.whole
            let name = names[round / 2 % names.count]
            var bytes = try #require(files["\(name).\(isArchive ? "npz" : "npy")"])
            for _ in 0...generator.next(below: 3) {
                bytes[generator.next(below: bytes.count)] = UInt8(generator.next(below: 256))
            }
            if round % 7 == 0 { bytes.removeLast(generator.next(below: bytes.count)) }
            do {
                if isArchive {
                    let dataset = try read(["a.npz": bytes]).1
                    // The checksum lets nothing but dates and the like change, or the other split.
                    guard case .images(let pixels) = dataset.columns[0].values else { continue }
                    #expect(pixels == imagePixels, "seed \(seed) round \(round)")
                } else if name.hasPrefix("images") {
                    _ = try read(images: bytes, labels: try #require(files["labels-<i8.npy"]))
                } else {
                    _ = try read(images: try #require(files["images.npy"]), labels: bytes)
                }
            } catch let error as DataError {
                #expect(!error.description.contains("\n"), "seed \(seed) round \(round)")
                refusals += 1
            }
            outcomes += 1
        }
        #expect(outcomes == 2000)
        #expect(refusals > 500)
    }
}

@Suite struct NumPyKeysTests {
    @Test func keysResolveToThemselves() throws {
        let archive = try format(["path": "d/mnist.npz", "testLabels": "y_valid"])
        let resolved: [String: ConfigurationValue] = [
            "path": .string("d/mnist.npz"), "trainImages": .string("x_train"),
            "trainLabels": .string("y_train"), "testImages": .string("x_test"),
            "testLabels": .string("y_valid"),
        ]
        #expect(archive.resolved == resolved)
        #expect(archive.paths == ["d/mnist.npz"])
        let moved = archive.relocated(toFolder: "/new")
        #expect(moved.paths == ["/new/mnist.npz"])
        #expect(moved.resolved["testLabels"] == .string("y_valid"))

        let four = try format(["directory": "d", "testImages": "/e/t.npy"])
        #expect(four.paths == ["d/x_train.npy", "d/y_train.npy", "/e/t.npy", "d/y_test.npy"])
        let movedFour = four.relocated(toFolder: "/new")
        #expect(movedFour.paths[2] == "/new/t.npy")
        #expect(movedFour.resolved["directory"] == nil)
    }

    @Test func keysThatDoNotGoTogetherAreRefused() {
        #expect(throws: ConfigurationError.self) {
            try format(["path": "a.npz", "directory": "b"])
        }
        #expect(throws: ConfigurationError.self) {
            try format(["trainImages": "a.npy", "trainLabels": "b.npy", "testImages": "c.npy"])
        }
        #expect(throws: ConfigurationError.self) { try format([:]) }
    }
}

/// A header of version 1.0 that takes 128 bytes, as NumPy's do.
private func npyHeader(_ type: String, _ shape: String, isFortranOrder: Bool = false) -> [UInt8] {
    let order = isFortranOrder ? "True" : "False"
    let text = "{'descr': '\(type)', 'fortran_order': \(order), 'shape': \(shape), }"
    let padding = String(repeating: " ", count: 117 - text.utf8.count)
    return [0x93] + Array("NUMPY".utf8) + [1, 0, 118, 0] + Array((text + padding + "\n").utf8)
}

/// An entry for an archive made here, with sizes that may lie.
private struct Packed {
    let name: String
    let bytes: [UInt8]
    let checksum: UInt
    var byteCount: UInt64

    /// Deflates bytes with `zeros` more after them.
    init(_ name: String, _ start: [UInt8], zeros: Int = 0) {
        self.name = name
        var stream = z_stream()
        let started = deflateInit2_(
            &stream, 6, Z_DEFLATED, -15, 8, Z_DEFAULT_STRATEGY, ZLIB_VERSION,
            Int32(MemoryLayout<z_stream>.size))
        precondition(started == Z_OK, "zlib cannot start")
        defer { deflateEnd(&stream) }
        var output = [UInt8](repeating: 0, count: start.count + zeros / 500 + 1024)
        var sum: UInt = 0
        var pieces = [start]
        let piece = min(zeros, 1 << 20)
        if zeros > 0 {
            let zeroPiece = [UInt8](repeating: 0, count: piece)
            pieces += Array(repeating: zeroPiece, count: zeros / piece)
        }
        let room = output.count
        output.withUnsafeMutableBufferPointer { output in
            stream.next_out = output.baseAddress
            stream.avail_out = UInt32(room)
            for (index, piece) in pieces.enumerated() {
                var input = piece
                let mode = index == pieces.count - 1 ? Z_FINISH : Z_NO_FLUSH
                input.withUnsafeMutableBufferPointer {
                    sum = crc32(sum, $0.baseAddress, UInt32($0.count))
                    stream.next_in = $0.baseAddress
                    stream.avail_in = UInt32($0.count)
                    _ = deflate(&stream, mode)
                }
            }
        }
        bytes = Array(output.prefix(room - Int(stream.avail_out)))
        checksum = sum
        byteCount = UInt64(start.count + zeros)
    }
}

private func littleEndian(_ number: UInt64, _ count: Int) -> [UInt8] {
    (0..<count).map { UInt8(truncatingIfNeeded: number >> (8 * $0)) }
}

/// An archive whose entries have 64-bit sizes.
private func zip(_ entries: [Packed]) -> [UInt8] {
    var archive: [UInt8] = []
    var directory: [UInt8] = []
    for entry in entries {
        let offset = UInt64(archive.count)
        let name = Array(entry.name.utf8)
        let version = littleEndian(45, 2) + littleEndian(0, 2) + littleEndian(8, 2)
        let sizes = littleEndian(UInt64(entry.checksum), 4) + littleEndian(0xffff_ffff, 4)
        let long =
            littleEndian(1, 2) + littleEndian(16, 2) + littleEndian(entry.byteCount, 8)
            + littleEndian(UInt64(entry.bytes.count), 8)
        let common =
            version + littleEndian(0, 4) + sizes + littleEndian(0xffff_ffff, 4)
            + littleEndian(UInt64(name.count), 2) + littleEndian(UInt64(long.count), 2)
        archive += littleEndian(0x0403_4b50, 4) + common + name + long + entry.bytes
        directory += littleEndian(0x0201_4b50, 4) + littleEndian(45, 2) + common
        directory += littleEndian(0, 10) + littleEndian(offset, 4) + name + long
    }
    let start = UInt64(archive.count)
    let count = littleEndian(UInt64(entries.count), 2)
    archive += directory + littleEndian(0x0605_4b50, 4) + littleEndian(0, 4) + count + count
    archive += littleEndian(UInt64(directory.count), 4) + littleEndian(start, 4)
    return archive + littleEndian(0, 2)
}
