// Arrays and folders for the tests of saved state.

import Checkpoints
import Foundation

func floats(_ name: String, _ shape: [Int], _ values: [Float]) -> NamedArray {
    values.withUnsafeBufferPointer { NamedArray(name: name, shape: shape, floats: $0) }
}

let smallFile = SafetensorsFile(
    arrays: [
        floats("conv1.weight", [2, 1, 1, 2], [1, -2, 0.5, 4]),
        floats("bias", [], [7]),
        NamedArray(name: "steps", integer: 42),
        NamedArray(name: "flags", shape: [3], elementType: .uint8, bytes: Data([1, 0, 1])),
        floats("empty", [0, 5], []),
    ], metadata: ["format": "pt", "a \"quoted\" key\n": "\u{1F3B5}"])

/// A fresh folder, removed afterwards.
func withFolder<Value>(_ body: (String) throws -> Value) throws -> Value {
    let folder = FileManager.default.temporaryDirectory
        .appendingPathComponent("rondo-checkpoints-\(UUID().uuidString)").path
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(atPath: folder) }
    return try body(folder)
}

func names(in folder: String) throws -> [String] {
    try FileManager.default.contentsOfDirectory(atPath: folder).sorted()
}

/// A file made by hand: header text and data.
func safetensors(_ header: String, _ data: [UInt8] = []) -> Data {
    var bytes = withUnsafeBytes(of: UInt64(header.utf8.count).littleEndian) { Data($0) }
    bytes.append(contentsOf: header.utf8)
    bytes.append(contentsOf: data)
    return bytes
}
