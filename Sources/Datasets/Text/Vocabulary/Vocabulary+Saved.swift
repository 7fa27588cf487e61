// A vocabulary as JSON, saved beside the model. Reading trusts nothing: a folder may come from
// anywhere, and whatever is accepted here indexes an embedding later.
//
//   {"format": "rondo vocabulary", "kind": "characters", "specialSymbols": false,
//    "symbols": "\n !$&',-.3:;?ABC...", "version": 1}
//
// Words are a list of strings in the place of the symbols; byte pairs a list of [left, right],
// where 0 to 255 are the bytes and 256 + i is what merge i made.

import Foundation

private struct SavedVocabulary: Codable {
    static let formatName = "rondo vocabulary"

    var format = Self.formatName
    var version = 1
    let kind: String
    let specialSymbols: Bool
    var symbols: String?
    var words: [String]?
    var merges: [[Int32]]?
}

extension Vocabulary {
    /// The most bytes a saved vocabulary may have.
    public static let savedByteCountLimit = 64 << 20

    /// The vocabulary as JSON: the same bytes for equal vocabularies.
    public func save() -> Data {
        var saved = SavedVocabulary(kind: kind.rawValue, specialSymbols: hasSpecialSymbols)
        switch table {
        case .characters(let table):
            var symbols = String.UnicodeScalarView()
            symbols.append(contentsOf: table.codePoints.compactMap(Unicode.Scalar.init))
            saved.symbols = String(symbols)
        case .words(let table):
            saved.words = table.words.map { String(decoding: $0, as: UTF8.self) }
        case .bytePairs(let table):
            saved.merges = table.merges.map { [$0.left, $0.right] }
        }
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        do {
            return try encoder.encode(saved)
        } catch {
            preconditionFailure("texts and integers cannot be written as JSON: \(error)")
        }
    }

    /// Reads a saved vocabulary; `name` stands for its file in errors.
    public init(_ data: Data, name: String) throws(DataError) {
        do throws(VocabularyFlaw) {
            try self.init(checking: data)
        } catch {
            throw DataError(file: name, problem: .text(.badVocabulary(reason: error.reason)))
        }
    }

    private init(checking data: Data) throws(VocabularyFlaw) {
        guard data.count <= Self.savedByteCountLimit else {
            throw VocabularyFlaw("more than \(Self.savedByteCountLimit) bytes")
        }
        guard let saved = try? JSONDecoder().decode(SavedVocabulary.self, from: data) else {
            throw VocabularyFlaw("it is not the JSON of a saved vocabulary")
        }
        guard saved.format == SavedVocabulary.formatName, saved.version == 1 else {
            throw VocabularyFlaw(
                "expected format \"\(SavedVocabulary.formatName)\" version 1, got "
                    + "\"\(saved.format.prefix(40))\" version \(saved.version)")
        }
        let hasSpecialSymbols = saved.specialSymbols
        switch Kind(rawValue: saved.kind) {
        case .characters:
            let table = try Self.characters(saved.symbols)
            self.init(.characters(table), hasSpecialSymbols: hasSpecialSymbols)
        case .words:
            guard hasSpecialSymbols else {
                throw VocabularyFlaw("words need the special symbols")
            }
            let table = try Self.words(saved.words)
            self.init(.words(table), hasSpecialSymbols: true)
        case .bytePairs:
            let table = try Self.bytePairs(saved.merges)
            self.init(.bytePairs(table), hasSpecialSymbols: hasSpecialSymbols)
        case nil:
            let kinds = Kind.allCases.map(\.rawValue).joined(separator: ", ")
            throw VocabularyFlaw(
                "its kind is \"\(saved.kind.prefix(40))\", expected one of \(kinds)")
        }
    }

    private static func characters(_ symbols: String?) throws(VocabularyFlaw) -> CharacterTable {
        guard let symbols, !symbols.isEmpty else { throw VocabularyFlaw("it has no symbols") }
        let codePoints = symbols.unicodeScalars.map(\.value)
        for i in 1..<max(1, codePoints.count) where codePoints[i] <= codePoints[i - 1] {
            throw VocabularyFlaw(
                codePoints[i] == codePoints[i - 1]
                    ? "symbol \(i) comes twice" : "symbol \(i) is out of order")
        }
        return CharacterTable(codePoints: codePoints)
    }

    private static func words(_ words: [String]?) throws(VocabularyFlaw) -> WordTable {
        guard let words else { throw VocabularyFlaw("it has no words") }
        var seen: Set<ArraySlice<UInt8>> = []
        let table = try words.enumerated().map { index, word throws(VocabularyFlaw) in
            let bytes = Array(word.utf8)[...]
            guard (1...WordTable.byteCountLimit).contains(bytes.count) else {
                throw VocabularyFlaw(
                    "word \(index) has \(bytes.count) bytes, expected 1 to "
                        + "\(WordTable.byteCountLimit)")
            }
            guard bytes == WordTable.lineBreak || !bytes.contains(where: WordTable.isSpace) else {
                throw VocabularyFlaw("word \(index) contains white space")
            }
            guard seen.insert(bytes).inserted else {
                throw VocabularyFlaw("word \(index) comes twice")
            }
            return bytes
        }
        return WordTable(words: table)
    }

    private static func bytePairs(_ merges: [[Int32]]?) throws(VocabularyFlaw) -> BytePairTable {
        guard let merges else { throw VocabularyFlaw("it has no merges") }
        var seen: Set<BytePair> = []
        var lengths = [Int](repeating: 1, count: 256)
        for (index, merge) in merges.enumerated() {
            guard merge.count == 2,
                merge.allSatisfy({ (0..<Int32(lengths.count)).contains($0) })
            else {
                throw VocabularyFlaw(
                    "merge \(index) is not of two symbols below \(lengths.count)")
            }
            guard seen.insert(BytePair(merge[0], merge[1])).inserted else {
                throw VocabularyFlaw("merge \(index) comes twice")
            }
            // Merges of merges double: without a bound few of them would fill the memory.
            let length = lengths[Int(merge[0])] + lengths[Int(merge[1])]
            guard length <= BytePieces.byteCountLimit else {
                throw VocabularyFlaw(
                    "merge \(index) makes a symbol of \(length) bytes, more than "
                        + "\(BytePieces.byteCountLimit)")
            }
            lengths.append(length)
        }
        return BytePairTable(merges: merges.map { BytePair($0[0], $0[1]) })
    }
}

/// What is wrong with a saved vocabulary.
private struct VocabularyFlaw: Error {
    let reason: String
    init(_ reason: String) { self.reason = reason }
}
