import Learning
import ExitCodes
import RunFolders
import RunProcesses
import Foundation
import Rendezvous
import Training
import Transport
import WireFormat

/// `rondo status`: asks a run's coordinator for its state.
enum StatusCommand {
    static let command = Command(
        specification: CommandSpecification(
            name: "status", summary: "shows the progress of a run and what each worker does",
            discussion: [
                "Asks the coordinator of a running run. The run's folder says where it listens "
                    + "(coordinator.json)."
            ],
            positionals: [.init("RUN", "the run's folder, or HOST:PORT of its coordinator")],
            options: [.init("json", "print one line of JSON")],
            examples: ["rondo status runs/fashion-mnist-cnn", "rondo status 10.0.0.1:4000"]),
        run: run)

    /// The coordinator may need this long to answer, because it may be storing a checkpoint.
    private static let patience = Duration.seconds(10)

    private static func run(
        _ arguments: ParsedArguments, _ tasks: TaskList
    ) throws -> ExitCode {
        let report = try ask(arguments.positionals[0])
        if arguments.has("json") {
            let encoder = JSONEncoder()
            encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
            Console.output(String(decoding: try encoder.encode(report), as: UTF8.self))
        } else {
            for line in lines(report) { Console.output(line) }
        }
        return .done
    }

    private static func ask(_ run: String) throws -> StatusReport {
        var isFolder: ObjCBool = false
        let exists = FileManager.default.fileExists(atPath: run, isDirectory: &isFolder)
        guard exists, isFolder.boolValue else {
            let hasPort = run.split(separator: ":").last.flatMap { Int($0) } != nil
            guard hasPort, let address = try? SocketAddress.resolve(run).first else {
                throw UsageError(
                    "there is no folder '\(run)', and it is not the HOST:PORT of a coordinator")
            }
            return try StatusClient.ask(address, deadline: .after(patience))
        }
        let folder = RunFolder(path: run)
        guard let written = CoordinatorPlace(in: folder) else {
            guard FileManager.default.fileExists(atPath: folder.coordinatorPath) else {
                throw NothingRuns(path: run)
            }
            throw UsageError(
                "\(folder.coordinatorPath) does not say where a coordinator listens; ask it by HOST:PORT"
            )
        }
        do {
            return try StatusClient.ask(try written.reachable(), deadline: .after(patience))
        } catch let error as RendezvousError where error.code == .unreachable {
            throw CoordinatorGone(path: run, coordinator: written)
        }
    }

    static func lines(_ report: StatusReport) -> [String] {
        var first = "run \(report.run): \(report.state)"
        if report.generation > 0 { first += ", generation \(report.generation)" }
        first += ", step \(report.step) of \(report.totalSteps)"
        if report.samplesPerSecond > 0 {
            first += ", \(Int(report.samplesPerSecond.rounded())) samples/s"
        }
        guard !report.workers.isEmpty else { return [first, "no worker is connected"] }
        return [first]
            + TextTable.lines(
                head: [
                    "worker", "rank", "host", "pid", "phase", "step", "replicas", "last heartbeat",
                ], rows: report.workers.map(row))
    }

    private static func row(_ worker: StatusReport.Worker) -> [String] {
        let replicas = worker.firstReplica.map { first in
            "\(first)-\(first + (worker.replicaCount ?? 1) - 1)"
        }
        let tenths = Int((worker.silenceSeconds * 10).rounded())
        return [
            "\(worker.slot)", worker.rank.map { "\($0)" } ?? "-", worker.host, "\(worker.pid)",
            worker.phase, "\(worker.step)", replicas ?? "-",
            "\(tenths / 10).\(tenths % 10) s ago",
        ]
    }
}

/// The error for a folder in which no run is under way.
private struct NothingRuns: ExitCoded, CustomStringConvertible {
    let path: String

    var exitCode: ExitCode { .failed }

    var description: String {
        "no run is under way in \(path): it has no coordinator.json; a run that has ended is looked "
            + "at with 'rondo audit' and 'rondo evaluate'"
    }
}

/// The error for a folder whose coordinator was killed.
private struct CoordinatorGone: ExitCoded, CustomStringConvertible {
    let path: String
    let coordinator: CoordinatorPlace

    var exitCode: ExitCode { .failed }

    var description: String {
        "no run is under way in \(path): its coordinator (process \(coordinator.pid) on host "
            + "\(coordinator.host)) does not listen at \(coordinator.address) any more; go on with the run by "
            + "'rondo train ... --resume'"
    }
}
