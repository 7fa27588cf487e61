// The merges that training learns: examples by hand, and against the plainest way to do it.

import Datasets
import Foundation
import Testing

private func symbols(_ vocabulary: Vocabulary) -> [String] {
    (256..<vocabulary.count).map { vocabulary.text(of: [Int32($0)]) }
}

@Test func largestCountIsMergedAndTiesGoToTheSmallerPair() throws {
    // aa stands four times (runs overlap); then Za and ab twice each, (a, b) being the smaller
    // pair; then Z and ab. After that no pair stands twice.
    let vocabulary = Vocabulary(.bytePairs(mergeCount: 10), of: try plain("aaabdaaabac"))
    #expect(symbols(vocabulary) == ["aa", "ab", "aaab"])
    #expect(try vocabulary.encode("aaabdaaabac") == [258, 0x64, 258, 0x61, 0x63])
    #expect(try vocabulary.encode("aaaab") == [256, 256, 0x62])
    let shorter = Vocabulary(.bytePairs(mergeCount: 2), of: try plain("aaabdaaabac"))
    #expect(symbols(shorter) == ["aa", "ab"])
}

@Test func exampleOfThePaper() throws {
    // Sennrich, Haddow and Birch 2016, figure 1's words with their counts.
    let counts = [("low", 5), ("lower", 2), ("newest", 6), ("widest", 3)]
    let text = counts.map { String(repeating: $0.0 + "\n", count: $0.1) }.joined()
    let vocabulary = Vocabulary(.bytePairs(mergeCount: 7), of: try plain(text))
    #expect(symbols(vocabulary) == ["es", "est", "lo", "low", "ew", "new", "newest"])
    #expect(try vocabulary.encode("lowest") == [259, 257])
}

@Test func mergesStayWithinPieces() throws {
    let text = String(repeating: "the cat, the dog. 1234 the  cow's\n\n", count: 20)
    let vocabulary = Vocabulary(.bytePairs(mergeCount: 200), of: try plain(text))
    let all = symbols(vocabulary)
    #expect(all.contains(" the") && all.contains(" 1234") && all.contains("\n\n"))
    #expect(
        all.allSatisfy { symbol in
            !symbol.dropFirst().contains(" ") && !(symbol.contains("\n") && symbol.contains("t"))
        })
    #expect(
        try vocabulary.encode("the  cow").map { vocabulary.text(of: [$0]) } == ["the", " ", " cow"])
}

/// All pieces anew in each round.
private func plainMerges(_ words: [[UInt8]], mergeCount: Int) -> (
    merges: [[Int32]], words: [[Int32]]
) {
    var words = words.map { $0.map(Int32.init) }
    var merges: [[Int32]] = []
    while merges.count < mergeCount {
        var counts: [[Int32]: Int] = [:]
        for word in words {
            for i in 1..<max(1, word.count) { counts[[word[i - 1], word[i]], default: 0] += 1 }
        }
        let best = counts.filter { $0.value > 1 }.min {
            $0.value != $1.value ? $0.value > $1.value : $0.key.lexicographicallyPrecedes($1.key)
        }
        guard let pair = best?.key else { break }
        words = words.map { word in
            var merged: [Int32] = []
            var i = 0
            while i < word.count {
                if i + 1 < word.count, [word[i], word[i + 1]] == pair {
                    merged.append(Int32(256 + merges.count))
                    i += 2
                } else {
                    merged.append(word[i])
                    i += 1
                }
            }
            return merged
        }
        merges.append(pair)
    }
    return (merges, words)
}

private func savedMerges(_ vocabulary: Vocabulary) throws -> [[Int32]] {
    struct Saved: Decodable { let merges: [[Int32]] }
    return try JSONDecoder().decode(Saved.self, from: vocabulary.save()).merges
}

@Test(arguments: [(1, 2), (2, 2), (3, 3), (4, 4), (5, 8), (6, 26)])
func trainingAndEncodingAreThoseOfThePlainestWay(seed: UInt64, letters: Int) throws {
    print("seed \(seed)")
    var generator = TestGenerator(state: seed)
    let words = (0..<300).map { _ in
        (0...generator.next(below: 12)).map { _ in UInt8(0x61 + generator.next(below: letters)) }
    }
    let expected = plainMerges(words, mergeCount: 80)
    let text = try PlainText(bytes: Array(words.joined(separator: [0x0a])), name: "words")
    let vocabulary = Vocabulary(.bytePairs(mergeCount: 80), of: text)
    #expect(try savedMerges(vocabulary) == expected.merges)
    #expect(expected.merges.count > 30)
    #expect(try vocabulary.encode(text) == Array(expected.words.joined(separator: [0x0a])))
}

@Test func textWithoutSpacesIsCutIntoBoundedPieces() throws {
    let text = try plain(String(repeating: "a", count: 100_001))
    let vocabulary = Vocabulary(.bytePairs(mergeCount: 100), of: text)
    #expect(symbols(vocabulary).map(\.utf8.count) == [2, 4, 8, 16, 32, 64, 128])
    #expect(try vocabulary.encode(text).count == 100_001 / 128 + 2)
    #expect(vocabulary.decode(try vocabulary.encode(text)) == text.bytes)
}
