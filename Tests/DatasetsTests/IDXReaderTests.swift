// IDX files: right ones, each way to be wrong with its words, and damage everywhere.

import Configuration
import Datasets
import Foundation
import Testing

private let labels: [UInt8] = [3, 1, 4, 1, 5, 9]
private let images = idxImages(count: 6, height: 3, width: 2)

private func imageMessage(_ bytes: [UInt8]) -> String {
    do {
        _ = try IDXReader.images(bytes: bytes, name: "images")
        return "no error"
    } catch {
        return "\(error)"
    }
}

@Test(arguments: [false, true])
func wholeFileReads(isPacked: Bool) throws {
    let pack = isPacked ? gzip : { $0 }
    let read = try IDXReader.images(bytes: pack(images), name: "images")
    #expect(read.outline == ImageOutline(images))
    #expect(read.pixels == Array(images.dropFirst(16)))
    #expect(try IDXReader.labels(bytes: pack(idxLabels(labels)), name: "labels") == labels)
    let color = idx(magic: 0x804, extents: [2, 3, 2, 3], elements: [UInt8](0..<36))
    let colorRead = try IDXReader.images(bytes: pack(color), name: "images")
    #expect(colorRead.outline.channels == 3)
    #expect(colorRead.outline.shapeText == "3 x 3 x 2")
    #expect(colorRead.pixels == [UInt8](0..<36))
}

extension ImageOutline {
    fileprivate init?(_ bytes: [UInt8]) {
        guard let read = try? IDXReader.images(bytes: bytes, name: "images") else { return nil }
        self = read.outline
    }
}

@Test func gzipOfSeveralMembersReads() throws {
    let packed = gzip(Array(images[..<20])) + gzip(Array(images[20...]))
    let read = try IDXReader.images(bytes: packed, name: "images")
    #expect(read.pixels == Array(images.dropFirst(16)))
}

@Test func largeGzipPassesThroughInPieces() throws {
    var generator = TestGenerator(state: 5)
    let noise = (0..<(40 * 100 * 100)).map { _ in UInt8(generator.next(below: 256)) }
    let bytes = idx(magic: 0x803, extents: [40, 100, 100], elements: noise)
    let packed = gzip(bytes)
    #expect(packed.count > 300_000)
    try withFiles(["i": packed]) { path in
        let read = try IDXReader.readImages(path("i"))
        #expect(read.pixels == noise)
    }
}

@Test func eachMistakeHasItsWords() {
    #expect(
        imageMessage(idxLabels(labels))
            == "images: not the expected kind of IDX file: expected magic number 0x00000803 or "
            + "0x00000804, got 0x00000801")
    #expect(
        imageMessage(Array(images.dropLast()))
            == "images: truncated: expected 52 bytes, got 51; fetch the file again")
    #expect(
        imageMessage(images + [0])
            == "images: longer than its header says: bytes follow the expected 52")
    #expect(
        imageMessage(gzip(images + [0]))
            == "images: longer than its header says: bytes follow the expected 52")
    #expect(
        imageMessage(gzip(Array(images.dropLast())))
            == "images: truncated: expected 52 bytes, got 51; fetch the file again")
    #expect(
        imageMessage(Array(gzip(images).dropLast(9)))
            == "images: damaged gzip data (unexpected end of file) after 52 unpacked bytes; "
            + "fetch the file again")
    #expect(
        imageMessage(idx(magic: 0x803, extents: [0, 3, 2], elements: []))
            == "images: the header's dimension 0 is 0, expected 1 to 268435456")
    #expect(
        imageMessage(idx(magic: 0x803, extents: [1, 3, 99_999], elements: []))
            == "images: the header's dimension 2 is 99999, expected 1 to 8192")
    #expect(imageMessage([]) == "images: truncated: expected 4 bytes, got 0; fetch the file again")
}

@Test func hugeClaimsAreRefusedBeforeAnythingIsAllocated() {
    let tooLarge = idx(magic: 0x804, extents: [1 << 28, 1 << 13, 1 << 13, 256], elements: [])
    #expect(imageMessage(tooLarge).hasPrefix("images: the header promises "))
    let plain = idx(magic: 0x803, extents: [60_000, 1000, 1000], elements: [1, 2, 3])
    #expect(imageMessage(plain).hasPrefix("images: truncated: expected 60000000016 bytes, got 19;"))
    #expect(imageMessage(gzip(plain)).hasPrefix("images: truncated: expected 60000000016 bytes"))
}

/// The format with these files as its test split.
private func format(_ images: String, _ labels: String) throws -> IDXFormat {
    try IDXFormat(
        ConfigurationReader(
            .object([
                "trainImages": .string("a"), "trainLabels": .string("b"),
                "testImages": .string(images), "testLabels": .string(labels),
            ]), origin: "test", path: "data", keys: IDXFormat.keys))
}

@Test func damagedFilesAreRefusedByOutlineToo() throws {
    let files = [
        "i": images, "l": idxLabels(labels), "i.gz": gzip(images), "l.gz": gzip(idxLabels(labels)),
        "short.gz": Array(gzip(images).dropLast(12)), "long": images + [1],
        "five": idxLabels(Array(labels.prefix(5))),
        "members": gzip(Array(images[..<20])) + gzip(Array(images[20...])),
    ]
    try withFiles(files) { path in
        func message(_ images: String, _ labels: String, classes: Int = 10) -> String {
            do {
                let columns = try format(path(images), path(labels)).columns(of: .test)
                try ImageDataset.checkRange(
                    columns[1].labels, file: columns[1].file, classes: classes)
                let outline = try columns[0].images()
                return "\(outline.count) of \(outline.shapeText)"
            } catch {
                return "\(error)".replacingOccurrences(of: path(""), with: "")
            }
        }
        #expect(message("i", "l") == "6 of 1 x 3 x 2")
        #expect(message("i.gz", "l.gz") == "6 of 1 x 3 x 2")
        #expect(message("members", "l") == "6 of 1 x 3 x 2")
        #expect(message("short.gz", "l").contains("short.gz: damaged gzip data"))
        #expect(message("long", "l").contains("long: longer than its header says"))
        #expect(message("i", "five").contains("five: holds 5 labels, but "))
        #expect(
            message("i", "l", classes: 9).hasSuffix(
                "l: label 9 of sample 5 is out of range, expected 0 to 8 (data.classes is 9)"))
        #expect(message("absent", "l").hasSuffix("absent: no such data file; check the path"))
        #expect(message("", "l").contains("cannot read the data file: it is not a regular file"))
        let all = try IDXReader.read(images: path("i"), labels: path("l.gz"), classes: 10)
        #expect(all.count == 6)
        #expect(all.labels == labels.map { Int32($0) })
        let some = try ImageDataset(
            try format(path("i"), path("l")).read(.test), classes: 10
        ).prefix(2)
        #expect(some.count == 2)
        #expect(some.pixels == Array(images[16..<28]))
        #expect(throws: DataError.self) {
            try all.prefix(7)
        }
    }
}

/// Only a file that the package installs is looked for in the package.
@Test func onlyFashionMNISTIsSaidToBeInItsPackage() {
    func message(_ path: String) -> String {
        DataError(file: path, problem: .missing).description
    }
    let installed = "/usr/share/datasets/fashion-mnist/train-images-idx3-ubyte.gz"
    #expect(
        message(installed)
            == "\(installed): no such data file; cluster/setup installs Debian's package "
            + "dataset-fashion-mnist, which it is part of")
    for other in [
        "photos/train-images", "/usr/share/datasets/mnist/train-images-idx3-ubyte.gz",
        "/usr/share/datasets/fashion-mnist-mine/train-images-idx3-ubyte.gz",
        "/home/me/usr/share/datasets/fashion-mnist/train-images-idx3-ubyte.gz",
    ] {
        #expect(message(other) == "\(other): no such data file; check the path")
    }
}

@Test func cutAtEveryByteIsAnError() {
    for bytes in [images, gzip(images)] {
        for cut in bytes.indices {
            #expect(throws: DataError.self, "cut at \(cut)") {
                try IDXReader.images(bytes: Array(bytes[..<cut]), name: "images")
            }
        }
    }
}

@Test func flippedBytesNeverTrapAndGzipNoticesThem() throws {
    let seed: UInt64 = 7_301
    var generator = TestGenerator(state: seed)
    let packed = gzip(images)
    var outcomes = 0
    for round in 0..<3000 {
        var bytes = round % 2 == 0 ? images : packed
        for _ in 0...generator.next(below: 4) {
            bytes[generator.next(below: bytes.count)] = UInt8(generator.next(below: 256))
        }
        if round % 5 == 0 { bytes.removeLast(generator.next(below: bytes.count)) }
        do {
            let read = try IDXReader.images(bytes: bytes, name: "images")
            #expect(read.pixels.count == read.outline.count * read.outline.imageByteCount)
            // The CRC lets nothing but the header's own fields (time, system) change.
            if bytes.starts(with: [0x1f, 0x8b]) {
                #expect(read.pixels == Array(images.dropFirst(16)), "seed \(seed) round \(round)")
            }
            outcomes += 1
        } catch {
            #expect(!error.description.contains("\n"))
            outcomes += 1
        }
    }
    #expect(outcomes == 3000)
}

private let installed = "/usr/share/datasets/fashion-mnist"

@Test(.enabled(if: FileManager.default.fileExists(atPath: installed)))
func installedFashionMNISTReads() throws {
    let images = "\(installed)/t10k-images-idx3-ubyte.gz"
    let labels = "\(installed)/t10k-labels-idx1-ubyte.gz"
    let test = try IDXReader.read(images: images, labels: labels, classes: 10)
    #expect(test.outline == ImageOutline(count: 10_000, side: 28))
    for label in Int32(0)..<10 { #expect(test.labels.count { $0 == label } == 1000) }
    #expect(try IDXReader.outline(ofImages: images) == test.outline)
}

extension ImageOutline {
    fileprivate init?(count: Int, side: Int) {
        let dataset = try? ImageDataset(
            name: "blank", pixels: [UInt8](repeating: 0, count: count * side * side),
            labels: [Int32](repeating: 0, count: count), height: side, width: side, channels: 1,
            classes: 1)
        guard let dataset else { return nil }
        self = dataset.outline
    }
}
