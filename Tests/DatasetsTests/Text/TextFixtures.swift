// Seeded random text and bytes, and files made on the spot.

import Datasets
import Foundation
import Testing

extension TestGenerator {
    mutating func bytes(count: Int) -> [UInt8] {
        (0..<count).map { _ in UInt8(next(below: 256)) }
    }

    /// Characters of one to four bytes, with many spaces, line breaks and repetitions.
    mutating func text(characterCount: Int) -> String {
        var scalars = String.UnicodeScalarView()
        while scalars.count < characterCount {
            let bound = [0x20, 0x80, 0x80, 0x800, 0x1_0000, 0x11_0000][next(below: 6)]
            let number = [0x20, 0x0a, 0x61, next(below: bound), next(below: bound)][next(below: 5)]
            if let scalar = Unicode.Scalar(UInt32(number)) { scalars.append(scalar) }
        }
        return String(scalars)
    }
}

func plain(_ text: String, name: String = "a.txt") throws(DataError) -> PlainText {
    try PlainText(bytes: Array(text.utf8), name: name)
}

/// The words of the error that `body` throws.
func message(_ body: () throws -> Void) -> String? {
    let error = #expect(throws: DataError.self, performing: body)
    return error?.description
}

extension SequenceBatch {
    func row(_ row: Int, of pointer: UnsafeMutablePointer<Int32>) -> [Int32] {
        let width = pointer == sources ? sourceLength : length
        return (0..<width).map { pointer[row * width + $0] }
    }

    func weightRow(_ row: Int) -> [Float] { (0..<length).map { weights[row * length + $0] } }

    var samples: [UInt32] { (0..<count).map { sampleIndices[$0] } }

    /// All that a batch holds, for comparing.
    var contents: [[Int32]] {
        (0..<count).map { row in
            [Int32(sampleIndices[row]), lengths[row], sourceLengths[row]]
                + self.row(row, of: inputs) + self.row(row, of: targets)
                + self.row(row, of: sources) + weightRow(row).map { Int32($0) }
        }
    }
}
