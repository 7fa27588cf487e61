import Foundation
import Tensors

// Comparison with results of PyTorch that a script stored; the inputs are drawn from names on both
// sides (reference/reference_format.py is the other side of this file).

/// What PyTorch computed, by case and tensor.
package struct ReferenceFile {
    private struct Stored: Decodable {
        let shape: [Int]
        let values: Data
    }

    private let cases: [String: [String: Stored]]

    /// Reads a file beside the caller's source file.
    package init(_ path: String, source: String = #filePath) throws {
        let file = URL(fileURLWithPath: source).deletingLastPathComponent()
            .appendingPathComponent(path)
        cases = try JSONDecoder().decode(
            [String: [String: Stored]].self, from: Data(contentsOf: file))
    }

    /// All names of cases.
    package var names: Set<String> { Set(cases.keys) }

    /// A stored tensor; nil if PyTorch has none of that name.
    package func tensor(_ name: String, of caseName: String) -> Tensor? {
        cases[caseName]?[name].map { stored in
            let floats = stored.values.withUnsafeBytes { bytes in
                (0..<bytes.count / 4).map {
                    Float(
                        bitPattern: UInt32(
                            littleEndian: bytes.loadUnaligned(
                                fromByteOffset: 4 * $0, as: UInt32.self)))
                }
            }
            return Tensor(floats, Shape(stored.shape))
        }
    }

    /// The names of the tensors of a case.
    package func tensorNames(of caseName: String) -> [String] {
        (cases[caseName]?.keys).map { $0.sorted() } ?? []
    }
}

/// Numbers that both sides draw from a name: SplitMix64 at the name's FNV-1a hash.
package func drawn(
    _ name: String, _ shape: Shape, scale: Double = 1, offset: Double = 0
) -> Tensor {
    var state: UInt64 = 0xCBF2_9CE4_8422_2325
    for byte in name.utf8 { state = (state ^ UInt64(byte)) &* 0x100_0000_01B3 }
    return Tensor(
        (0..<shape.count).map { index in
            var z = state &+ UInt64(index + 1) &* 0x9E37_79B9_7F4A_7C15
            z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
            z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
            z ^= z >> 31
            return Float((Double(z >> 11) * 0x1p-52 - 1) * scale + offset)
        }, shape)
}
