// What is text, where it is cut, and what is said of what is none.

import Datasets
import Foundation
import Testing

@Test func fileIsReadAndItsByteOrderMarkDropped() throws {
    try withFiles(["a.txt": [0xef, 0xbb, 0xbf] + Array("héllo\n".utf8)]) { path in
        let text = try PlainText(path: path("a.txt"))
        #expect(text.bytes == Array("héllo\n".utf8))
        #expect(text.characterCount == 6)
        #expect(text.name == path("a.txt"))
    }
}

@Test func largeFileIsReadWhole() throws {
    var generator = TestGenerator(state: 5)
    let bytes = (0..<600_000).map { _ in UInt8(0x61 + generator.next(below: 26)) }
    try withFiles(["a.txt": bytes]) { path in
        let text = try PlainText(path: path("a.txt"))
        #expect(text.bytes == bytes)
    }
}

@Test func problemsOfFilesAreNamed() throws {
    try withFiles(["empty": [], "mark": [0xef, 0xbb, 0xbf], "large": [1, 2, 3, 4]]) { path in
        #expect(
            message { _ = try PlainText(path: path("none")) }
                == "\(path("none")): no such text file")
        #expect(
            message { _ = try PlainText(path: path("empty")) }
                == "\(path("empty")): the text is empty")
        #expect(
            message { _ = try PlainText(path: path("mark")) }
                == "\(path("mark")): the text is empty")
        #expect(
            message { _ = try PlainText(path: path("large"), byteCountLimit: 3) }
                == "\(path("large")): the text has more than the limit of 3 bytes")
        let text = try PlainText(path: path("large"), byteCountLimit: 4)
        #expect(text.characterCount == 4)
    }
}

@Test(
    arguments: [
        ([0x61, 0x80], 1), ([0x61, 0x62, 0xff], 2), ([0xc0, 0x80], 0), ([0xc1, 0xbf], 0),
        ([0xe0, 0x9f, 0xbf], 0), ([0xed, 0xa0, 0x80], 0), ([0xf0, 0x8f, 0xbf, 0xbf], 0),
        ([0xf4, 0x90, 0x80, 0x80], 0), ([0xf5, 0x80, 0x80, 0x80], 0), ([0xc3, 0xa9, 0xc3], 2),
        ([0xe2, 0x82], 0), ([0xf0, 0x9f, 0x98], 0), ([0xe2, 0x82, 0x41], 0),
        ([0x0a, 0xf0, 0x9f, 0x98, 0x20], 1),
        ([0xef, 0xbb, 0xbf, 0xff], 3),
    ] as [([UInt8], Int)])
func offsetOfTheFirstInvalidByteIsNamed(bytes: [UInt8], offset: Int) {
    let digits = String(bytes[offset], radix: 16)
    #expect(
        message { _ = try PlainText(bytes: bytes, name: "a.txt") }
            == "a.txt: not UTF-8: invalid byte 0x\(digits) at offset \(offset); convert the file "
            + "(iconv -t UTF-8)")
}

@Test func validityIsThatOfFoundation() {
    let seed: UInt64 = 31
    print("seed \(seed)")
    var generator = TestGenerator(state: seed)
    let interesting: [UInt8] = [
        0x00, 0x41, 0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf, 0xc1, 0xc2, 0xdf, 0xe0, 0xe1, 0xed,
        0xee, 0xef, 0xf0, 0xf1, 0xf4, 0xf5, 0xff,
    ]
    var validCount = 0
    for _ in 0..<30_000 {
        let bytes = (0...generator.next(below: 4)).map { _ in
            interesting[generator.next(below: interesting.count)]
        }
        let isValid = String(validating: bytes, as: UTF8.self) != nil
        validCount += isValid ? 1 : 0
        let isAccepted = (try? PlainText(bytes: bytes, name: "a")) != nil
        #expect(isAccepted == isValid, "\(bytes)")
    }
    #expect(validCount > 1000)
}

@Test func splitCountsCharacters() throws {
    let text = try plain("aé€😀b")
    let parts = try text.split(trainingFraction: 0.8)
    #expect(parts.training.bytes == Array("aé€😀".utf8))
    #expect(parts.validation.bytes == Array("b".utf8))
    #expect(parts.validation.name == "a.txt (validation part)")
    let half = try text.split(trainingFraction: 0.5)
    #expect((half.training.characterCount, half.validation.characterCount) == (2, 3))
    for fraction in [0, 0.1, 1, 2, -1, Double.nan, .infinity] {
        #expect(
            message { _ = try text.split(trainingFraction: fraction) }
                == "a.txt: 5 characters cannot be split: a training part of \(fraction) leaves one "
                + "side empty")
    }
}
