// Between text and token numbers. There are three kinds: characters by code point, words by
// frequency, byte pairs by merging. Each is a table that this type dresses with the special
// symbols, which, if there are any, are the tokens 0 to 3 of every kind.
//
// A vocabulary belongs to a model as its weights do: it is saved with it (see Vocabulary+Saved).

/// Symbols that stand for no text.
public enum SpecialSymbol: Int32, CaseIterable, Sendable {
    case padding, unknown, begin, end

    /// Its token.
    public var token: Int32 { rawValue }
    /// How it is written where people look at tokens.
    public var label: String {
        switch self {
        case .padding: "<pad>"
        case .unknown: "<unk>"
        case .begin: "<s>"
        case .end: "</s>"
        }
    }
}

/// How a vocabulary is made from text.
public enum VocabularyRecipe: Equatable, Sendable {
    /// One token per Unicode code point, sorted by code point.
    case characters
    /// Words between white space, by falling frequency, then by their bytes; a line break is a word
    /// of its own. At most `limit` words, each seen at least `minimumCount` times.
    case words(limit: Int, minimumCount: Int)
    /// The 256 bytes and at most `mergeCount` merges, each of the pair seen most often.
    case bytePairs(mergeCount: Int)
}

/// Turns text into tokens and back.
public struct Vocabulary: Equatable, Sendable {
    /// What a token stands for.
    public enum Kind: String, CaseIterable, Sendable { case characters, words, bytePairs }

    enum Table: Equatable, Sendable {
        case characters(CharacterTable)
        case words(WordTable)
        case bytePairs(BytePairTable)
    }

    let table: Table
    /// Whether tokens 0 to 3 are the special symbols.
    public let hasSpecialSymbols: Bool

    init(_ table: Table, hasSpecialSymbols: Bool) {
        self.table = table
        self.hasSpecialSymbols = hasSpecialSymbols
    }

    /// Makes the vocabulary of a text; the same one for the same text, wherever it is made.
    /// - Parameter specialSymbols: whether to add them; words always have them, as there are
    ///   always words that are not in the table.
    public init(_ recipe: VocabularyRecipe, of text: PlainText, specialSymbols: Bool = false) {
        self.init(recipe, of: CollectionOfOne(text.bytes[...]), specialSymbols: specialSymbols)
    }

    /// Makes the vocabulary of many pieces of text, such as the sentences of one language; no
    /// token reaches from one into the next.
    /// - Precondition: the pieces are valid UTF-8.
    public init(
        _ recipe: VocabularyRecipe, of pieces: some Sequence<ArraySlice<UInt8>>,
        specialSymbols: Bool
    ) {
        switch recipe {
        case .characters:
            table = .characters(CharacterTable(of: pieces))
            hasSpecialSymbols = specialSymbols
        case .words(let limit, let minimumCount):
            table = .words(WordTable(of: pieces, limit: limit, minimumCount: minimumCount))
            hasSpecialSymbols = true
        case .bytePairs(let mergeCount):
            var trainer = BytePairTrainer()
            for piece in pieces { trainer.add(piece) }
            table = .bytePairs(BytePairTable(merges: trainer.train(mergeCount: mergeCount)))
            hasSpecialSymbols = specialSymbols
        }
    }

    /// What a token stands for.
    public var kind: Kind {
        switch table {
        case .characters: .characters
        case .words: .words
        case .bytePairs: .bytePairs
        }
    }

    /// Tokens are 0 ..< count.
    public var count: Int { specialCount + tableCount }

    /// Tokens that stand for no text: the first ones, if there are any.
    public var specialCount: Int { hasSpecialSymbols ? SpecialSymbol.allCases.count : 0 }

    private var tableCount: Int {
        switch table {
        case .characters(let table): table.count
        case .words(let table): table.count
        case .bytePairs(let table): table.count
        }
    }

    /// The tokens of a text; no begin or end is added.
    /// - Throws: `unknownCharacter` if the kind is characters without special symbols.
    public func encode(_ text: PlainText) throws(DataError) -> [Int32] {
        try encode(text.bytes[...], name: text.name)
    }

    /// The tokens of a string; `name` stands for it in errors.
    public func encode(_ text: String, name: String = "the text") throws(DataError) -> [Int32] {
        try encode(Array(text.utf8)[...], name: name)
    }

    /// The tokens of some bytes. Byte pairs take any; the other kinds are about text.
    /// - Throws: `invalidUTF8` or `unknownCharacter` for a vocabulary of characters.
    public func encode(_ bytes: ArraySlice<UInt8>, name: String) throws(DataError) -> [Int32] {
        let first = Int32(specialCount)
        switch table {
        case .characters(let table):
            let unknown = hasSpecialSymbols ? SpecialSymbol.unknown.token : nil
            return try table.encode(bytes, firstToken: first, unknown: unknown, name: name)
        case .words(let table):
            return table.encode(bytes, firstToken: first, unknown: SpecialSymbol.unknown.token)
        case .bytePairs(let table):
            return table.encode(bytes, firstToken: first)
        }
    }

    /// The bytes of tokens. Padding, begin and end give nothing, unknown the replacement character
    /// U+FFFD, and so does a number that is no token.
    public func decode(_ tokens: some Sequence<Int32>) -> [UInt8] {
        var decoder = TokenDecoder(self)
        return tokens.reduce(into: []) { $0 += decoder.bytes(of: $1) }
    }

    /// The text of tokens; bytes that are not UTF-8 are replaced.
    public func text(of tokens: some Sequence<Int32>) -> String {
        String(decoding: decode(tokens), as: UTF8.self)
    }

    /// A token for people, as beside an attention map: special symbols and white space are visible.
    public func label(of token: Int32) -> String {
        if let special = special(token) { return special.label }
        let text = String(decoding: tableBytes(token) ?? [], as: UTF8.self)
        return String(
            text.unicodeScalars.map { scalar -> Character in
                switch scalar {
                case " ": "\u{2423}"
                case "\n": "\u{23ce}"
                case "\t": "\u{21e5}"
                default: Character(scalar)
                }
            })
    }

    func special(_ token: Int32) -> SpecialSymbol? {
        hasSpecialSymbols ? SpecialSymbol(rawValue: token) : nil
    }

    /// What an ordinary token stands for.
    func tableBytes(_ token: Int32) -> ArraySlice<UInt8>? {
        let index = Int(token) - specialCount
        guard (0..<tableCount).contains(index) else { return nil }
        switch table {
        case .characters(let table): return table.bytes(of: index)
        case .words(let table): return table.words[index]
        case .bytePairs(let table): return table.symbols[index]
        }
    }
}
