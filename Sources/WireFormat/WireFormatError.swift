// What can be wrong with bytes that a peer sent, as data. The messages are written here alone, so
// that every layer above reports the same fault in the same way.

/// Bytes that are not what this version of the protocol sends.
package enum WireFormatError: Error, Equatable, Sendable {
    /// Fewer bytes than the structure needs.
    case truncated(structure: String, needed: Int, available: Int)
    /// The first four bytes are not those of the protocol: the peer is something other than Rondo.
    case wrongMagic(structure: String, expected: UInt32, got: UInt32)
    case unsupportedVersion(structure: String, expected: Int, got: Int)
    /// A field holds a value outside its set or range.
    case invalidField(structure: String, field: String, got: String)
    case checksumMismatch(structure: String, expected: UInt32, got: UInt32)
    case tooLong(structure: String, limit: Int, got: Int)
    /// Ranges that are not a deal of replicas; the text says which rule they break.
    case invalidDeal(String)
    /// A well-framed message whose content cannot be understood.
    case invalidMessage(String)
}

extension WireFormatError: CustomStringConvertible {
    package var description: String {
        switch self {
        case .truncated(let structure, let needed, let available):
            "\(structure) is cut short: \(needed) bytes needed, got \(available)"
        case .wrongMagic(let structure, let expected, let got):
            "\(structure) starts with \(Self.hexadecimal(got)), expected "
                + "\(Self.hexadecimal(expected)): the peer is not a Rondo process"
        case .unsupportedVersion(let structure, let expected, let got):
            "\(structure) has protocol version \(got), expected \(expected): "
                + "use the same Rondo on every host"
        case .invalidField(let structure, let field, let got):
            "\(structure) has an invalid \(field): \(got)"
        case .checksumMismatch(let structure, let expected, let got):
            "\(structure) is damaged: checksum \(Self.hexadecimal(expected)) expected, "
                + "got \(Self.hexadecimal(got))"
        case .tooLong(let structure, let limit, let got):
            "\(structure) of \(got) bytes is longer than the limit of \(limit)"
        case .invalidDeal(let reason):
            "invalid deal of replicas: \(reason)"
        case .invalidMessage(let reason):
            "invalid message: \(reason)"
        }
    }

    private static func hexadecimal(_ value: UInt32) -> String {
        let digits = String(value, radix: 16)
        return "0x" + String(repeating: "0", count: 8 - digits.count) + digits
    }
}
