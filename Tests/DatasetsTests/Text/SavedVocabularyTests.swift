// Vocabularies as JSON: the same ones come back, and nothing else gets in.

import Datasets
import Foundation
import Testing

private func vocabularies() throws -> [Vocabulary] {
    var generator = TestGenerator(state: 9)
    let random = try plain(generator.text(characterCount: 500))
    let odd = try plain("\0\u{1}\"\\/\u{7f}\u{2028}\u{feff}\u{ffff}\u{10ffff}e\u{301}é \n\t")
    return [random, odd].flatMap { text in
        [
            Vocabulary(.characters, of: text),
            Vocabulary(.characters, of: text, specialSymbols: true),
            Vocabulary(.words(limit: 1000, minimumCount: 1), of: text),
            Vocabulary(.bytePairs(mergeCount: 50), of: text),
            Vocabulary(.bytePairs(mergeCount: 50), of: text, specialSymbols: true),
        ]
    }
}

@Test func savedVocabulariesComeBack() throws {
    for vocabulary in try vocabularies() {
        let saved = vocabulary.save()
        let read = try Vocabulary(saved, name: "vocabulary.json")
        #expect(read == vocabulary)
        #expect(read.save() == saved)
        #expect(read.count == vocabulary.count && read.kind == vocabulary.kind)
        for token in 0..<Int32(vocabulary.count) {
            #expect(read.decode([token]) == vocabulary.decode([token]))
        }
    }
}

@Test func savedFormIsTheDocumentedOne() throws {
    let characters = Vocabulary(.characters, of: try plain("ba\n"))
    #expect(
        String(decoding: characters.save(), as: UTF8.self)
            == #"{"format":"rondo vocabulary","kind":"characters","specialSymbols":false,"#
            + #""symbols":"\nab","version":1}"#)
    let words = Vocabulary(.words(limit: 9, minimumCount: 1), of: try plain("b a/c b"))
    #expect(
        String(decoding: words.save(), as: UTF8.self)
            == #"{"format":"rondo vocabulary","kind":"words","specialSymbols":true,"version":1,"#
            + #""words":["b","a/c"]}"#)
    let pairs = Vocabulary(.bytePairs(mergeCount: 2), of: try plain("abcabc"))
    #expect(
        String(decoding: pairs.save(), as: UTF8.self)
            == #"{"format":"rondo vocabulary","kind":"bytePairs","merges":[[97,98],[256,99]],"#
            + #""specialSymbols":false,"version":1}"#)
}

@Test(arguments: [
    ("", "it is not the JSON of a saved vocabulary"),
    ("[]", "it is not the JSON of a saved vocabulary"),
    (
        #"{"format":"x","version":1,"kind":"words","specialSymbols":true}"#,
        #"expected format "rondo vocabulary" version 1, got "x" version 1"#
    ),
    (
        #"{"format":"rondo vocabulary","version":2,"kind":"words","specialSymbols":true}"#,
        #"expected format "rondo vocabulary" version 1, got "rondo vocabulary" version 2"#
    ),
    (saved("letters", ""), #"its kind is "letters", expected one of characters, words, bytePairs"#),
    (saved("characters", ""), "it has no symbols"),
    (saved("characters", #","symbols":"""#), "it has no symbols"),
    (saved("characters", #","symbols":"aab""#), "symbol 1 comes twice"),
    (saved("characters", #","symbols":"acb""#), "symbol 2 is out of order"),
    (saved("words", ""), "it has no words"),
    (saved("words", #","words":["a","b","a"]"#), "word 2 comes twice"),
    (saved("words", #","words":["a",""]"#), "word 1 has 0 bytes, expected 1 to 256"),
    (saved("words", #","words":["a b"]"#), "word 0 contains white space"),
    (
        saved("words", #","words":["\#(String(repeating: "x", count: 257))"]"#),
        "word 0 has 257 bytes, expected 1 to 256"
    ),
    (
        saved("words", #","words":[]"#).replacingOccurrences(of: "true", with: "false"),
        "words need the special symbols"
    ),
    (saved("bytePairs", ""), "it has no merges"),
    (saved("bytePairs", #","merges":[[1,2],[1,2]]"#), "merge 1 comes twice"),
    (saved("bytePairs", #","merges":[[1,2],[257,2]]"#), "merge 1 is not of two symbols below 257"),
    (saved("bytePairs", #","merges":[[1,2,3]]"#), "merge 0 is not of two symbols below 256"),
    (saved("bytePairs", #","merges":[[-1,2]]"#), "merge 0 is not of two symbols below 256"),
    (
        saved("bytePairs", #","merges":[[1,99999999999]]"#),
        "it is not the JSON of a saved vocabulary"
    ),
    (
        saved(
            "bytePairs",
            #","merges":[[1,1],[256,256],[257,257],[258,258],[259,259],[260,260],[261,261],[262,262]]"#
        ),
        "merge 7 makes a symbol of 256 bytes, more than 128"
    ),
])
func flawsAreNamed(json: String, reason: String) {
    #expect(
        message { _ = try Vocabulary(Data(json.utf8), name: "v.json") }
            == "v.json: not a usable vocabulary: \(reason)")
}

private func saved(_ kind: String, _ rest: String) -> String {
    #"{"format":"rondo vocabulary","version":1,"kind":"\#(kind)","specialSymbols":true\#(rest)}"#
}

@Test func oversizeIsRefusedUnread() {
    let data = Data(count: Vocabulary.savedByteCountLimit + 1)
    #expect(
        message { _ = try Vocabulary(data, name: "v.json") }
            == "v.json: not a usable vocabulary: more than 67108864 bytes")
}

@Test func damagedBytesNeverTrap() throws {
    let seed: UInt64 = 77
    print("seed \(seed)")
    var generator = TestGenerator(state: seed)
    var acceptedCount = 0
    let originals = try vocabularies().map { $0.save() }
    for round in 0..<4000 {
        var bytes = Array(originals[round % originals.count])
        for _ in 0...generator.next(below: 3) {
            let place = generator.next(below: bytes.count)
            switch generator.next(below: 5) {
            case 0: bytes[place] = UInt8(generator.next(below: 256))
            case 1: bytes.remove(at: place)
            case 2: bytes.insert(bytes[generator.next(below: bytes.count)], at: place)
            case 3: bytes.swapAt(place, generator.next(below: bytes.count))
            default: bytes[place] = UInt8(0x30 + generator.next(below: 10))
            }
        }
        guard let read = try? Vocabulary(Data(bytes), name: "damaged") else { continue }
        acceptedCount += 1
        #expect(try Vocabulary(read.save(), name: "again") == read)
        let tokens = (-2...Int32(read.count)).map { $0 }
        let text = read.text(of: tokens)
        #expect(
            ((try? read.encode(text)) ?? []).allSatisfy { (0..<Int32(read.count)).contains($0) })
    }
    #expect(acceptedCount > 0 && acceptedCount < 4000)
}
