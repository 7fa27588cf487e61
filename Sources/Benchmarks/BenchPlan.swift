import ExitCodes
import Foundation
import Configuration
import Learning

// `rondo bench` runs on the same coordinator, workers and ring as training: the plan travels where a
// configuration would, results come back as step reports.

/// What the workers of a benchmark do.
package struct BenchPlan: Codable, Equatable, Sendable {
    package enum Kind: Codable, Equatable, Sendable {
        /// Training steps of a named workload, the first `warmup` of them not counted.
        case training(workload: String, steps: Int, warmup: Int)
        /// All-reduces of each size, in bytes.
        case allReduce(byteCounts: [Int])
    }

    package var kind: Kind
    package var transport: CommunicationConfiguration.Transport
    /// What gradients are rounded to, in training.
    package var gradients: GradientNumbers
    /// Where rank 0 leaves the profile of its steps; nil where nobody asked for one.
    package var profilePath: String?

    package init(
        _ kind: Kind, transport: CommunicationConfiguration.Transport = .auto,
        gradients: GradientNumbers = .float32, profilePath: String? = nil
    ) {
        self.kind = kind
        self.transport = transport
        self.gradients = gradients
        self.profilePath = profilePath
    }

    /// Steps that may be asked for.
    package static let stepCounts = 1...1_000_000
    private static let byteCounts = 4...1 << 30

    /// Refuses what no `rondo bench` asks for: the plan comes from another process.
    package func check() throws(BenchError) {
        switch kind {
        case .training(_, let steps, let warmup):
            guard Self.stepCounts.contains(steps), 0...Self.stepCounts.upperBound ~= warmup else {
                throw BenchError(description: "a benchmark of \(steps) steps after \(warmup)")
            }
        case .allReduce(let byteCounts):
            for byteCount in byteCounts
            where !Self.byteCounts.contains(byteCount) || byteCount % 4 != 0 {
                throw BenchError(description: "an all-reduce of \(byteCount) bytes")
            }
        }
    }

    /// From 4 KB to 64 MB: the sizes at which all-reduce implementations are compared.
    package static let allReduceByteCounts = [10, 13, 16, 18, 20, 22, 24].map { 4 << $0 }

    /// Repetitions of one size: many small ones, at least five large ones.
    package static func repetitions(byteCount: Int) -> Int {
        max(5, min(200, (1 << 25) / max(1, byteCount)))
    }
}

/// A benchmark that has no result: a worker was lost, or what it computed is wrong.
package struct BenchError: ExitCoded, CustomStringConvertible {
    package let exitCode: ExitCode
    package let description: String

    package init(exitCode: ExitCode = .failed, description: String) {
        self.exitCode = exitCode
        self.description = description
    }
}
