import Foundation
import Tensors

/// One case of reference/layers.json: a layer, its options and PyTorch's numbers. The formula of
/// inputs and parameters is written out at the top of reference/make_reference.py.
struct ReferenceCase: Decodable, Sendable {
    struct Options: Decodable, Sendable {
        let layers: Int?
        let bidirectional: Bool?, bias: Bool?, batchFirst: Bool?, scaling: Bool?
        let vocabulary: Int?, width: Int?, padding: Padding?
        let normalized: [Int]?
        let groups: Int?, outputs: Int?
        let kernel: [Int]?, stride: [Int]?, outputPadding: [Int]?
    }

    /// A row of an embedding, or zeros around an image.
    enum Padding: Decodable, Sendable {
        case index(Int)
        case sides([Int])

        init(from decoder: any Decoder) throws {
            let container = try decoder.singleValueContainer()
            if let index = try? container.decode(Int.self) {
                self = .index(index)
            } else {
                self = .sides(try container.decode([Int].self))
            }
        }

        var index: Int? { if case .index(let index) = self { index } else { nil } }
        var sides: [Int]? { if case .sides(let sides) = self { sides } else { nil } }
    }

    struct Expected: Decodable, Sendable {
        let shape: [Int]
        let values: [Float]
    }

    let name: String
    let layer: String
    let options: Options
    let inputs: Int?, units: Int?
    let x: [Int]
    let lengths: [Int32]?
    let initial: Bool?, cell: Bool?
    let tokens: [Int32]?
    let tensors: [String: Expected]

    /// Values in [-scale, scale) under a name of this case.
    func tensor(_ text: String, _ shape: Shape, scale: Double = 1) -> Tensor {
        var state: UInt64 = 0xCBF2_9CE4_8422_2325
        for byte in "\(name)/\(text)".utf8 { state = (state ^ UInt64(byte)) &* 0x100_0000_01B3 }
        let values = (0..<shape.count).map { index -> Float in
            var z = state &+ UInt64(index + 1) &* 0x9E37_79B9_7F4A_7C15
            z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
            z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
            z ^= z >> 31
            return Float((Double(z >> 11) * 0x1p-52 - 1) * scale)
        }
        return Tensor(values, shape)
    }

    private struct File: Decodable {
        let cases: [ReferenceCase]
    }

    static func all() throws -> [ReferenceCase] {
        let file = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
            .appendingPathComponent("reference/layers.json")
        return try JSONDecoder().decode(File.self, from: Data(contentsOf: file)).cases
    }
}
