import Benchmarks
import Foundation
import Training

/// A benchmark's profile as text and as a file for chrome://tracing.
enum ProfileReport {
    static func lines(_ profile: StepProfile) -> [String] {
        let steps = Double(max(1, profile.steps))
        let total = profile.phases.reduce(0) { $0 + $1.seconds }
        func share(_ seconds: Double) -> Double { total > 0 ? 100 * seconds / total : 0 }
        var lines = [row("phase", "", "ms/step", "share", "")]
        for phase in profile.phases {
            lines.append(
                row(
                    phase.name, "", format("%.3f", 1000 * phase.seconds / steps),
                    format("%.1f %%", share(phase.seconds)), ""))
        }
        lines.append(row("operation", "calls", "ms/step", "share", "GFLOP/s"))
        for operation in profile.operations {
            let passes = [
                ("forward", operation.forwardSeconds, 1.0 / 3),
                ("backward", operation.backwardSeconds, 2.0 / 3),
            ]
            for (pass, seconds, part) in passes where seconds > 0 {
                let rate = Double(operation.flops) * part / seconds / 1e9
                lines.append(
                    row(
                        "\(operation.name) \(pass)",
                        format("%.0f", Double(operation.calls) / steps),
                        format("%.3f", 1000 * seconds / steps),
                        format("%.1f %%", share(seconds)),
                        operation.flops > 0 ? format("%.1f", rate) : ""))
            }
        }
        return lines
    }

    private static func format(_ format: String, _ value: Double) -> String {
        String(format: format, value)
    }

    private static func row(
        _ name: String, _ calls: String, _ time: String, _ share: String, _ rate: String
    ) -> String {
        func right(_ text: String, _ width: Int) -> String {
            String(repeating: " ", count: max(0, width - text.count)) + text
        }
        let line =
            name.padding(toLength: max(name.count, 38), withPad: " ", startingAt: 0)
            + right(calls, 6) + right(time, 10) + right(share, 9) + right(rate, 10)
        return String(line.reversed().drop { $0 == " " }.reversed())
    }

    static func writeTrace(_ profile: StepProfile, to path: String) throws {
        struct Trace: Encodable { let traceEvents: [TraceEvent] }
        let encoder = JSONEncoder()
        encoder.outputFormatting = .sortedKeys
        try encoder.encode(Trace(traceEvents: profile.events))
            .write(to: URL(fileURLWithPath: path))
    }
}
