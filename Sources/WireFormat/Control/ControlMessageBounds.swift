// The bounds that several message bodies share, each as a function that answers with what is
// wrong or nil. A body's `problem` is a chain of these with `??`, so that the first complaint wins.

import ExitCodes

enum ControlMessageBounds {
    static let textByteLimit = 8 * 1024
    static let nameByteLimit = 255

    /// A step, epoch or sample count.
    static func count(_ value: Int, _ name: String) -> String? {
        (0...ControlProtocol.countLimit).contains(value)
            ? nil : "'\(name)' is out of range: \(value)"
    }

    /// The length of a list.
    static func length(_ count: Int, _ name: String, limit: Int) -> String? {
        count <= limit
            ? nil : "'\(name)' has \(count) numbers, at most \(limit) are allowed"
    }

    /// A short word: a version, a digest, a host's name.
    static func name(_ value: String, _ name: String) -> String? {
        guard !value.isEmpty else { return "'\(name)' is empty" }
        guard value.utf8.count <= nameByteLimit else {
            return "'\(name)' has \(value.utf8.count) bytes, at most \(nameByteLimit) are allowed"
        }
        // Control characters would let a peer write lines of its own into the coordinator's log.
        guard !value.unicodeScalars.contains(where: { $0.value < 32 || $0.value == 127 }) else {
            return "'\(name)' holds control characters"
        }
        return nil
    }

    /// A sentence for people.
    static func text(_ value: String, _ name: String) -> String? {
        value.utf8.count <= textByteLimit
            ? nil : "'\(name)' has \(value.utf8.count) bytes, at most \(textByteLimit) are allowed"
    }

    /// A duration in seconds: finite and not negative.
    static func seconds(_ value: Double, _ name: String) -> String? {
        value.isFinite && value >= 0 && value <= 1e9 ? nil : "'\(name)' is out of range: \(value)"
    }

    /// Seconds since 1970, up to the year 5138.
    static func instant(_ value: Double, _ name: String) -> String? {
        value.isFinite && value >= 0 && value <= 1e11 ? nil : "'\(name)' is out of range: \(value)"
    }

    /// An exit code that tells failure from success.
    static func exitCode(_ code: ExitCode) -> String? {
        code == .done ? "'exitCode' is out of range: \(code.rawValue)" : nil
    }

    /// The first `limit` bytes of a sentence, cut between characters.
    static func clipped(_ text: String) -> String {
        guard text.utf8.count > textByteLimit else { return text }
        var clipped = ""
        var byteCount = 0
        for character in text {
            byteCount += character.utf8.count
            guard byteCount <= textByteLimit else { break }
            clipped.append(character)
        }
        return clipped
    }
}
