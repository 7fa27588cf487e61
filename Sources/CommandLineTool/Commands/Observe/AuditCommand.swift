import ExitCodes
import Learning
import RunFolders
import RunProcesses
import Foundation
import Training

/// `rondo audit`: proves from a run's ledger that its samples were used as planned.
enum AuditCommand {
    static let command = Command(
        specification: CommandSpecification(
            name: "audit",
            summary: "proves that each sample of each epoch was used exactly once",
            discussion: [
                "Reads the run's ledger (ledger.jsonl), its configuration and the sizes of its data, "
                    + "and checks that each step is there once with the samples that it should "
                    + "have used, that the steps of an epoch cover it exactly, and that each "
                    + "replica of each step was computed by exactly one worker.",
                "The run may be under way. The exit code is 0 if nothing is wrong, 1 otherwise.",
            ],
            positionals: [.init("DIR", "the run's folder")],
            options: [.init("json", "print one line of JSON")],
            examples: ["rondo audit runs/fashion-mnist-cnn"]),
        run: run)

    private static func run(
        _ arguments: ParsedArguments, _ tasks: TaskList
    ) throws -> ExitCode {
        let report = try LedgerAudit.report(
            of: RunFolder(path: arguments.positionals[0]), tasks: tasks)
        if arguments.has("json") {
            let encoder = JSONEncoder()
            encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
            Console.output(String(decoding: try encoder.encode(report), as: UTF8.self))
        } else {
            for line in AuditText.lines(report) { Console.output(line) }
        }
        return report.isClean ? .done : .failed
    }
}

/// The text of an audit's report.
enum AuditText {
    /// Of longer runs only the first and last epochs and those with faults are shown.
    private static let rowLimit = 12

    static func lines(_ report: AuditReport) -> [String] {
        let shown = rows(report.epochs)
        var lines = TextTable.lines(
            head: ["epoch", "steps", "samples", "used once", "more often", "left out", "not used"],
            rows: shown.map { epoch in
                [
                    epoch.epoch, epoch.steps, epoch.samples, epoch.usedOnce, epoch.usedMoreOften,
                    epoch.leftOut, epoch.unused,
                ].map(String.init)
            })
        if shown.count < report.epochs.count {
            lines.append("and \(report.epochs.count - shown.count) more epochs without a fault")
        }
        lines.append(
            "\(report.steps) of \(report.totalSteps) steps, \(counted(report.generations, "generation")),"
                + " \(counted(report.workers, "worker process", "worker processes"))")
        lines += report.faults.map { "fault: \($0)" }
        if report.faultCount > report.faults.count {
            lines.append("and \(report.faultCount - report.faults.count) more faults")
        }
        return lines + ["audit: " + verdict(report)]
    }

    static func verdict(_ report: AuditReport) -> String {
        guard report.isClean else { return counted(report.faultCount, "fault") }
        let whole = report.epochs.filter(\.isComplete).count
        let last = report.epochs.last.flatMap { $0.isComplete ? nil : $0 }
        let part = last.map {
            "\($0.usedOnce) of \($0.samples) samples of epoch \($0.epoch) so far"
        }
        if whole == 0, let part { return "clean; no sample was used twice, \(part)" }
        let verdict = "clean; each sample of \(counted(whole, "whole epoch")) was used exactly once"
        return verdict + (part.map { ", \($0)" } ?? "")
    }

    private static func rows(_ epochs: [AuditReport.Epoch]) -> [AuditReport.Epoch] {
        guard epochs.count > rowLimit else { return epochs }
        return epochs.enumerated().filter { index, epoch in
            index < 3 || index >= epochs.count - 3 || epoch.usedMoreOften > 0
                || (epoch.isComplete && epoch.unused > 0)
        }.prefix(4 * rowLimit).map(\.element)
    }

    private static func counted(_ count: Int, _ one: String, _ many: String? = nil) -> String {
        "\(count) \(count == 1 ? one : many ?? one + "s")"
    }
}
