import Kernels
import Testing

@Suite struct RequireTests {
    /// In an optimised build too, where `precondition` says nothing.
    @Test func aWrongValueIsPrintedInEveryBuild() async throws {
        let result = try await #require(
            processExitsWith: .failure, observing: [\.standardErrorContent]
        ) {
            let count = CommandLine.arguments.count
            require(count == -1, "count \(count) for -1")
        }
        let text = String(decoding: result.standardErrorContent, as: UTF8.self)
        #expect(text.contains("Rondo: count ") && text.contains(" for -1\n"), "said: \(text)")
    }

    @Test func theMessageOfWhatHoldsIsNotMade() {
        var isMade = false
        func message() -> String {
            isMade = true
            return ""
        }
        require(true, message())
        #expect(!isMade)
    }
}
