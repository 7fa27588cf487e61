import Foundation
import Testing

/// The rules of style that a formatter does not know.
@Suite struct TidyTests {
    private func swiftSources() throws -> [String] {
        let files = try Repository.files().filter {
            $0.hasPrefix("Sources/") && $0.hasSuffix(".swift")
        }
        try #require(files.count > 50)
        return files
    }

    /// Outside input must never end the process, and nothing waits by sleeping.
    @Test func bannedCalls() throws {
        let banned = ["try!", "fatalError(", "usleep(", "Thread.sleep", " sleep("]
        for file in try swiftSources() {
            let text = try Repository.text(file)
            for call in banned {
                #expect(!text.contains(call), "\(file) has \(call)")
            }
        }
    }

    /// Libraries return and throw; only the command line talks to people.
    @Test func onlyTheCommandLinePrints() throws {
        for file in try swiftSources() where !file.hasPrefix("Sources/CommandLineTool/") {
            let lines = try Repository.text(file).split(separator: "\n")
            let printing = lines.filter {
                $0.drop(while: \.isWhitespace).hasPrefix("print(")
            }
            #expect(printing.isEmpty, "\(file) prints: \(printing)")
        }
    }

    @Test func filesHoldOneIdea() throws {
        for file in try swiftSources() {
            let lineCount = try Repository.text(file).split(
                separator: "\n", omittingEmptySubsequences: false
            ).count
            #expect(lineCount <= 600, "\(file) has \(lineCount) lines")
        }
    }

    /// The engine knows no ranks, the communication half no tensors.
    @Test func theTwoHalvesMeetInDataParallelOnly() throws {
        let engine = [
            "Kernels", "Tensors", "Autodiff", "NeuralNetworks", "Models", "Datasets", "Checkpoints",
        ]
        let communication = ["WireFormat", "Transport", "Collectives", "Rendezvous"]
        for file in try swiftSources() {
            let imports = try Repository.text(file).split(separator: "\n")
                .filter { $0.hasPrefix("import ") || $0.hasPrefix("public import ") }
                .compactMap { $0.split(separator: " ").last.map(String.init) }
            let layer = String(file.split(separator: "/")[1])
            if engine.contains(layer) {
                #expect(Set(imports).isDisjoint(with: communication), "\(file): \(imports)")
            }
            if communication.contains(layer) {
                #expect(Set(imports).isDisjoint(with: engine), "\(file): \(imports)")
            }
        }
    }

    @Test func topLevelStaysSmall() throws {
        let allowed: Set = [
            "Package.swift", "Sources", "Tests", "cluster", "configs", "README.md",
        ]
        let entries = Set(try Repository.files().compactMap { $0.split(separator: "/").first })
        let unexpected = entries.map(String.init).filter {
            !allowed.contains($0) && !$0.hasPrefix(".")
        }
        #expect(unexpected == [])
    }
}
