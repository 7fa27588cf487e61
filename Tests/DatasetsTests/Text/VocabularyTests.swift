// Text to tokens and back, for the three kinds.

import Datasets
import Foundation
import Testing

@Test func charactersAreSortedByCodePoint() throws {
    let vocabulary = Vocabulary(.characters, of: try plain("b€a\nb"))
    #expect(vocabulary.count == 4)
    #expect(try vocabulary.encode("\nab€") == [0, 1, 2, 3])
    #expect(vocabulary.text(of: [3, 2, 9, -1]) == "€b\u{fffd}\u{fffd}")
    #expect((0..<4).map { vocabulary.label(of: $0) } == ["\u{23ce}", "a", "b", "€"])
    #expect(
        message { _ = try vocabulary.encode("a€Ж", name: "prompt") }
            == "prompt: the character U+0416 'Ж' at offset 4 is not in the vocabulary")
    #expect(
        message { _ = try vocabulary.encode("a\u{7}") }
            == "the text: the character U+0007 at offset 1 is not in the vocabulary")
    #expect(
        message { _ = try vocabulary.encode([0x61, 0xff], name: "prompt") }
            == "prompt: not UTF-8: invalid byte 0xff at offset 1; convert the file (iconv -t UTF-8)"
    )
}

@Test func specialSymbolsComeFirst() throws {
    let vocabulary = Vocabulary(.characters, of: try plain("ab"), specialSymbols: true)
    #expect(vocabulary.count == 6)
    #expect(SpecialSymbol.allCases.map(\.token) == [0, 1, 2, 3])
    #expect(try vocabulary.encode("abz") == [4, 5, 1])
    #expect(vocabulary.text(of: [2, 4, 5, 3, 0, 0, 1]) == "ab\u{fffd}")
    #expect(
        (0..<6).map { vocabulary.label(of: $0) } == ["<pad>", "<unk>", "<s>", "</s>", "a", "b"])
}

@Test func wordsAreSortedByFrequencyThenBytes() throws {
    let text = try plain("b a  c\tb\na b\r\nd c \n")
    let vocabulary = Vocabulary(.words(limit: 100, minimumCount: 1), of: text)
    #expect((4..<9).map { vocabulary.label(of: $0) } == ["\u{23ce}", "b", "a", "c", "d"])
    #expect(try vocabulary.encode(text) == [5, 6, 7, 5, 4, 6, 5, 4, 8, 7, 4])
    #expect(vocabulary.text(of: try vocabulary.encode(text)) == "b a c b\na b\nd c\n")
    let small = Vocabulary(.words(limit: 3, minimumCount: 2), of: text)
    #expect(small.count == 7)
    #expect(try small.encode("b c d x") == [5, 1, 1, 1])
    #expect(small.text(of: [5, 1, 6]) == "b \u{fffd} a")
    #expect(Vocabulary(.words(limit: 9, minimumCount: 3), of: text).count == 6)
}

@Test func wordsThatOnlyLookTheSameDiffer() throws {
    let vocabulary = Vocabulary(
        .words(limit: 10, minimumCount: 1), of: try plain("\u{e9} e\u{301} \u{e9}"))
    #expect(vocabulary.count == 6)
    #expect(try vocabulary.encode("e\u{301} \u{e9}") == [5, 4])
}

@Test(arguments: [0, 1, 2, 3, 4])
func charactersRoundTripAnyText(seed: UInt64) throws {
    print("seed \(seed)")
    var generator = TestGenerator(state: seed)
    let text = try plain(generator.text(characterCount: 3000))
    for specialSymbols in [false, true] {
        let vocabulary = Vocabulary(.characters, of: text, specialSymbols: specialSymbols)
        let tokens = try vocabulary.encode(text)
        #expect(tokens.count == text.characterCount)
        #expect(vocabulary.decode(tokens) == text.bytes)
        #expect(tokens.allSatisfy { (0..<Int32(vocabulary.count)).contains($0) })
    }
}

@Test(arguments: [0, 1, 2, 3, 4])
func bytePairsRoundTripAnyBytes(seed: UInt64) throws {
    print("seed \(seed)")
    var generator = TestGenerator(state: seed)
    let text = try plain(generator.text(characterCount: 3000))
    let vocabulary = Vocabulary(
        .bytePairs(mergeCount: 200), of: text, specialSymbols: seed % 2 == 1)
    let tokens = try vocabulary.encode(text)
    #expect(tokens.count < text.bytes.count)
    #expect(vocabulary.decode(tokens) == text.bytes)
    for count in [0, 1, 2, 300, 4000] {
        let bytes = generator.bytes(count: count)
        let tokens = try vocabulary.encode(bytes[...], name: "bytes")
        #expect(vocabulary.decode(tokens) == bytes)
        #expect(tokens.allSatisfy { (0..<Int32(vocabulary.count)).contains($0) })
    }
    let spaces = [UInt8](repeating: 0x20, count: 500) + [0x61]
    #expect(vocabulary.decode(try vocabulary.encode(spaces[...], name: "spaces")) == spaces)
}

@Test(arguments: [
    VocabularyRecipe.characters, .words(limit: 99, minimumCount: 1), .bytePairs(mergeCount: 60),
])
func decodingTokenByTokenGivesTheSameText(recipe: VocabularyRecipe) throws {
    var generator = TestGenerator(state: 17)
    let text = try plain(generator.text(characterCount: 2000))
    let vocabulary = Vocabulary(recipe, of: text)
    var tokens = try vocabulary.encode(text)
    // Any tokens at all: byte pairs in any order make bytes that are no text.
    tokens += (0..<2000).map { _ in Int32(generator.next(below: vocabulary.count + 2)) }
    var decoder = TokenDecoder(vocabulary)
    var streamed = ""
    for token in tokens { streamed += decoder.append(token) }
    streamed += decoder.finish()
    #expect(Array(streamed.utf8) == Array(vocabulary.text(of: tokens).utf8))
}

@Test func characterSpreadOverTokensAppearsWhenItIsComplete() throws {
    let vocabulary = Vocabulary(.bytePairs(mergeCount: 0), of: try plain("x"))
    var decoder = TokenDecoder(vocabulary)
    let pieces = try vocabulary.encode("a😀é").map { decoder.append($0) }
    #expect(pieces == ["a", "", "", "", "😀", "", "é"])
    #expect(decoder.append(0xf0) == "")
    #expect(decoder.append(0x61) == "\u{fffd}a")
    #expect(decoder.append(0xe2) == "")
    #expect(decoder.finish() == "\u{fffd}")
    #expect(decoder.finish() == "")
}
