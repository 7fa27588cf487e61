import Autodiff
import Foundation
import Tensors
import Testing

// Comparison with results of PyTorch that a script stored; the inputs are drawn from names on both sides
// (AttentionTests/reference/reference_format.py is the other side of this file).

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

/// Collects comparisons and prints them as a table: case, tensors, largest error.
package final class ReferenceTable {
    /// |a - b| <= absolute + relative |b|, PyTorch's `allclose`.
    package static let relative = 1e-4, absolute = 1e-5

    private let title: String
    private let file: ReferenceFile
    private var rows: [(name: String, tensors: Int, error: Double, share: Double)] = []

    package init(_ title: String, _ file: ReferenceFile) {
        self.title = title
        self.file = file
    }

    /// Compares tensors by name, all that PyTorch has stored for the case.
    package func compare(
        _ name: String, _ tensors: [String: Tensor],
        sourceLocation: SourceLocation = #_sourceLocation
    ) {
        let names = file.tensorNames(of: name)
        #expect(
            names == tensors.keys.sorted(), "tensors of \(name)", sourceLocation: sourceLocation)
        var row = (name: name, tensors: 0, error: 0.0, share: 0.0)
        for (key, tensor) in tensors.sorted(by: { $0.key < $1.key }) {
            guard let expected = file.tensor(key, of: name) else { continue }
            #expect(
                expected.count == tensor.count, "\(name), \(key): \(tensor.shape)",
                sourceLocation: sourceLocation)
            guard expected.count == tensor.count else { continue }
            var worst = 0.0
            for (a, b) in zip(tensor.scalars, expected.scalars) {
                let error = a == b ? 0 : Double((a - b).magnitude)
                let share = error / (Self.absolute + Self.relative * Double(b.magnitude))
                row.error = max(row.error, error.isNaN ? .infinity : error)
                worst = max(worst, share.isNaN ? .infinity : share)
            }
            #expect(
                worst <= 1, "\(name), \(key): \(worst) of the tolerance",
                sourceLocation: sourceLocation)
            row.tensors += 1
            row.share = max(row.share, worst)
        }
        rows.append(row)
    }

    /// Runs a function forward and backward with the case's upstream gradient and compares result and gradients.
    /// - Parameter parameters: drawn here under their names, scaled to 0.5 (norm weights around 1).
    package func compare(
        _ name: String, inputs: [(name: String, shape: Shape, scale: Double)],
        parameters: [(name: String, parameter: Parameter)] = [], lossKey: String = "y",
        sourceLocation: SourceLocation = #_sourceLocation, _ function: ([Variable]) -> Variable
    ) {
        for (key, parameter) in parameters {
            let offset = key.contains("norm") && key.hasSuffix("weight") ? 1.0 : 0
            let values = drawn("\(name)/\(key)", parameter.shape, scale: 0.5, offset: offset)
            parameter.value.pointer.update(from: values.pointer, count: values.count)
            parameter.attachGradient()
        }
        let tape = Tape(GradientCheck.settings)
        var results: [String: Tensor] = [:]
        let variables = inputs.map { input in
            tape.input(drawn("\(name)/\(input.name)", input.shape, scale: input.scale)) {
                results["d.\(input.name)"] = $0.copied()
            }
        }
        let y = function(variables)
        results[lossKey] = y.value.copied()
        tape.backward(from: y, upstream: drawn("\(name)/upstream", y.shape))
        for (key, parameter) in parameters where parameter.gradientIsWritten {
            results["d.\(key)"] = parameter.gradient?.copied()
        }
        compare(name, results, sourceLocation: sourceLocation)
    }

    /// Prints the table and expects that no stored case was left out.
    package func finish(sourceLocation: SourceLocation = #_sourceLocation) {
        let missing = file.names.subtracting(rows.map(\.name)).sorted()
        #expect(missing == [], "cases not compared", sourceLocation: sourceLocation)
        let width = rows.map(\.name.count).max() ?? 0
        var lines = ["\(title): case, tensors, largest error, share of the tolerance"]
        for row in rows {
            let name = row.name.padding(toLength: width, withPad: " ", startingAt: 0)
            lines.append(
                String(format: "  %@  %2d  %8.1e  %6.3f", name, row.tensors, row.error, row.share))
        }
        print(lines.joined(separator: "\n"))
    }
}
