// What can be wrong with text, pairs of texts and saved vocabularies, and the words for it. A
// DataError carries one of these beside the name of the file.

/// A text, or a demand on it, that cannot be used.
public enum TextProblem: Equatable, Sendable {
    case missing
    case empty
    case tooLarge(limit: Int)
    /// `offset` counts bytes from the start of the file.
    case invalidUTF8(offset: Int, byte: UInt8)
    case emptySplit(characters: Int, trainingFraction: Double)
    case emptyPart(pairs: Int, testShare: Double)
    case tooFewTokens(available: Int, needed: Int, context: Int)
    case unknownCharacter(codePoint: UInt32, offset: Int)
    case lineWithoutTab(line: Int)
    case lineCountMismatch(lines: Int, otherLines: Int, otherFile: String)
    case noPairs(dropped: Int, lengthLimit: Int?)
    case badVocabulary(reason: String)
    case noVocabulary
    case otherVocabulary
    case noSpecialSymbols
    case tooFewStrings(available: Int, needed: Int)

    /// The line for the user, without the file's name.
    var words: String {
        switch self {
        case .missing:
            return "no such text file"
        case .empty:
            return "the text is empty"
        case .tooLarge(let limit):
            return "the text has more than the limit of \(limit) bytes"
        case .invalidUTF8(let offset, let byte):
            let digits = String(byte, radix: 16)
            return "not UTF-8: invalid byte 0x\(digits.count < 2 ? "0" : "")\(digits) at offset "
                + "\(offset); convert the file (iconv -t UTF-8)"
        case .emptySplit(let characters, let fraction):
            return "\(characters) characters cannot be split: a training part of \(fraction) "
                + "leaves one side empty"
        case .emptyPart(let pairs, let share):
            return "\(pairs) pairs cannot be split: a test part of \(share) leaves one side empty"
        case .tooFewTokens(let available, let needed, let context):
            return "has \(available) tokens, but a context of \(context) needs at least \(needed)"
        case .unknownCharacter(let codePoint, let offset):
            return "the character \(Self.name(of: codePoint)) at offset \(offset) is not in the "
                + "vocabulary"
        case .lineWithoutTab(let line):
            return "line \(line) has no tab; expected source, tab, target"
        case .lineCountMismatch(let lines, let otherLines, let otherFile):
            return "has \(lines) lines, but \(otherFile) has \(otherLines)"
        case .noPairs(let dropped, let limit):
            let bound = limit.map { " or longer than \($0) tokens" } ?? ""
            return "has no usable pairs (\(dropped) have an empty side\(bound))"
        case .badVocabulary(let reason):
            return "not a usable vocabulary: \(reason)"
        case .noVocabulary:
            return "no such vocabulary; a run of text keeps it in its folder from the beginning"
        case .otherVocabulary:
            return "the run was begun with another text, whose vocabulary this is; go on with that "
                + "text, or use --overwrite to begin anew"
        case .noSpecialSymbols:
            return "the vocabulary has no symbols for padding, begin and end, which pairs of "
                + "texts need"
        case .tooFewStrings(let available, let needed):
            return "there are only \(available) different samples of this kind, but \(needed) "
                + "are asked for"
        }
    }

    /// "U+0041 'A'", without the character itself where it cannot be seen.
    private static func name(of codePoint: UInt32) -> String {
        let digits = String(codePoint, radix: 16, uppercase: true)
        let number = "U+" + String(repeating: "0", count: max(0, 4 - digits.count)) + digits
        guard codePoint > 0x20, !(0x7f...0xa0).contains(codePoint),
            let scalar = Unicode.Scalar(codePoint)
        else { return number }
        return "\(number) '\(scalar)'"
    }
}
