// What a run comes to: the table for a person and the `result` line for a program.

import Foundation
import Learning

/// The figures of a run that has reached its end.
package struct RunResult: Equatable, Sendable, Encodable {
    package var steps: Int
    package var epochs: Int
    /// nil if nothing was measured.
    package var evaluation: FigureValues?
    /// From the first step of this process' part of the run to the end.
    package var seconds: Double
    package var samplesPerSecond: Double
    package var workers: Int
    package var modelDigest: String
    package var output: String

    package init(
        steps: Int, epochs: Int, evaluation: FigureValues?, seconds: Double,
        samplesPerSecond: Double, workers: Int, modelDigest: String, output: String
    ) {
        self.steps = steps
        self.epochs = epochs
        self.evaluation = evaluation
        self.seconds = seconds
        self.samplesPerSecond = samplesPerSecond
        self.workers = workers
        self.modelDigest = modelDigest
        self.output = output
    }

    private enum CodingKeys: String, CodingKey {
        case steps, epochs, seconds, workers, output
        case samplesPerSecond = "samples_per_s"
        case modelDigest = "model_sha256"
    }

    package func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(steps, forKey: .steps)
        try container.encode(epochs, forKey: .epochs)
        try container.encode(seconds, forKey: .seconds)
        try container.encode(samplesPerSecond, forKey: .samplesPerSecond)
        try container.encode(workers, forKey: .workers)
        try container.encode(modelDigest, forKey: .modelDigest)
        try container.encode(output, forKey: .output)
        try evaluation?.encode(to: encoder)
    }

    /// The last line on standard output: `result {json}`.
    package func line() throws -> String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        encoder.nonConformingFloatEncodingStrategy = .convertToString(
            positiveInfinity: "inf", negativeInfinity: "-inf", nan: "nan")
        return "result " + String(decoding: try encoder.encode(self), as: UTF8.self)
    }

    /// A short table for a person.
    package func table() -> [String] {
        var rows = [
            ("steps", "\(steps) (\(epochs) epoch\(epochs == 1 ? "" : "s"))"),
            ("workers", "\(workers)"),
            ("time", ProgressText.duration(seconds)),
            ("speed", "\(Int(samplesPerSecond.rounded())) samples/s"),
        ]
        rows += evaluation?.rows.map { ($0.name, $0.value) } ?? []
        rows.append(("model", "\(output)/model.safetensors"))
        rows.append(("SHA-256", modelDigest))
        return rows.map { name, value in
            "  " + name + String(repeating: " ", count: max(2, 17 - name.count)) + value
        }
    }
}
