import Foundation
import Testing

/// Every error that can end a process says which exit code it means.
@Suite struct ErrorTypeTests {
    /// Errors that another one always takes the place of, or that a worker recovers from.
    private static let internalErrors: Set = [
        "ChannelError", "ConfigurationSyntaxError", "ControlMessageError", "Expelled", "Failure",
        "RingFailure", "StateLost", "VocabularyFlaw", "WireFormatError",
    ]

    @Test func errorsKnowTheirExitCode() throws {
        let declaration = try Regex<(Substring, Substring)>(
            "(?:struct|enum|class) (\\w+): (?:any )?Error\\b")
        var found: Set<String> = []
        for file in try Repository.files() where file.hasPrefix("Sources/") {
            guard file.hasSuffix(".swift") else { continue }
            for match in try Repository.text(file).matches(of: declaration) {
                found.insert(String(match.1))
                #expect(
                    Self.internalErrors.contains(String(match.1)),
                    "\(file): \(match.1) must be ExitCoded")
            }
        }
        #expect(Self.internalErrors.subtracting(found) == [], "not errors any more")
    }
}
