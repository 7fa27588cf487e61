// Small data sets and files made on the spot.

import CZlib
import Datasets
import Foundation

/// A seeded sequence for tests: Knuth's MMIX generator.
struct TestGenerator {
    var state: UInt64

    mutating func next(below bound: Int) -> Int {
        state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        return Int(state >> 33) % bound
    }
}

func bigEndian(_ number: UInt32) -> [UInt8] {
    [24, 16, 8, 0].map { UInt8(truncatingIfNeeded: number >> $0) }
}

func idx(magic: UInt32, extents: [UInt32], elements: [UInt8]) -> [UInt8] {
    bigEndian(magic) + extents.flatMap(bigEndian) + elements
}

func idxImages(count: Int, height: Int, width: Int) -> [UInt8] {
    idx(
        magic: 0x803, extents: [count, height, width].map(UInt32.init),
        elements: (0..<(count * height * width)).map { UInt8(truncatingIfNeeded: $0 * 7) })
}

func idxLabels(_ labels: [UInt8]) -> [UInt8] {
    idx(magic: 0x801, extents: [UInt32(labels.count)], elements: labels)
}

/// One gzip member.
func gzip(_ bytes: [UInt8]) -> [UInt8] {
    var stream = z_stream()
    let started = deflateInit2_(
        &stream, 6, Z_DEFLATED, 31, 8, Z_DEFAULT_STRATEGY, ZLIB_VERSION,
        Int32(MemoryLayout<z_stream>.size))
    precondition(started == Z_OK, "zlib cannot start")
    defer { deflateEnd(&stream) }
    var input = bytes
    var output = [UInt8](repeating: 0, count: bytes.count + 1024)
    let count = input.withUnsafeMutableBufferPointer { input in
        output.withUnsafeMutableBufferPointer { output in
            stream.next_in = input.baseAddress
            stream.avail_in = UInt32(input.count)
            stream.next_out = output.baseAddress
            stream.avail_out = UInt32(output.count)
            let status = deflate(&stream, Z_FINISH)
            precondition(status == Z_STREAM_END, "zlib gave \(status)")
            return output.count - Int(stream.avail_out)
        }
    }
    return Array(output.prefix(count))
}

/// Writes files into a fresh folder, hands their paths over, and removes all again.
func withFiles<Value>(
    _ contents: [String: [UInt8]], _ body: ((String) -> String) throws -> Value
) throws -> Value {
    let folder = FileManager.default.temporaryDirectory
        .appendingPathComponent("rondo-datasets-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    for (name, bytes) in contents {
        try Data(bytes).write(to: folder.appendingPathComponent(name))
    }
    return try body { folder.appendingPathComponent($0).path }
}

/// `count` images whose pixels tell the image: pixel p of image i is (3 i + p) mod 256.
func numberedDataset(
    count: Int, height: Int = 4, width: Int = 5, channels: Int = 1
) throws -> ImageDataset {
    let size = height * width * channels
    return try ImageDataset(
        name: "numbered",
        pixels: (0..<(count * size)).map { UInt8(truncatingIfNeeded: 3 * ($0 / size) + $0 % size) },
        labels: (0..<count).map { Int32($0 % 10) }, height: height, width: width,
        channels: channels, classes: 10)
}
