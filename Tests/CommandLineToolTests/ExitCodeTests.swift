import Benchmarks
import Checkpoints
import Configuration
import DataParallel
import Datasets
import ExitCodes
import Launching
import Models
import Rendezvous
import RunFolders
import Testing
import Transport

import Collectives
import CommandLineTool
import LanguageModel
import Learning
import Pictures
import Training
import Translation

/// What a process ends with, for every kind of error that can end one.
@Suite struct ExitCodeTests {
    struct Row: Sendable, CustomTestStringConvertible {
        let error: any Error
        let code: ExitCode

        init(_ error: any Error, _ code: ExitCode) {
            self.error = error
            self.code = code
        }

        var testDescription: String { "\(type(of: error)): \(error)" }
    }

    private static func transport(
        _ code: TransportError.Code, _ operation: TransportError.Operation
    ) -> TransportError {
        TransportError(code: code, operation: operation)
    }

    private static func collective(_ cause: CollectiveError.Cause) -> CollectiveError {
        CollectiveError(
            operation: .allReduce, cause: cause, rank: 0, neighbour: 1, generation: 1, step: 3,
            bucket: 0)
    }

    /// Wrong commands and configurations.
    private static let usage: [Row] = [
        Row(UsageError("unknown option"), .usage),
        Row(ConfigurationError(origin: "a.json", problem: .empty), .usage),
        Row(ModelError(path: "model.layers.3", layer: "linear", problem: "too small"), .usage),
        Row(
            ParameterGroupError(
                path: "optimizer.groups.0", match: "x", problem: .unmatched, known: ["weight"]),
            .usage),
        Row(WorkerCountError(workers: 3, replicas: 2), .usage),
        Row(ResumeMismatch(path: "out", problem: .otherData), .usage),
        Row(LaunchingError.hostsFile(path: "hosts", line: 1, problem: "no slots"), .usage),
        Row(LaunchingError.hostsFileUnusable(path: "hosts", reason: "no host"), .usage),
        Row(RunFolderError(path: "out", problem: .exists), .usage),
        Row(RunFolderError(path: "out", problem: .inUse(coordinator: nil)), .usage),
        Row(RunFolderError(path: "out", problem: .notARun), .usage),
        Row(RunFolderError(path: "out", problem: .nothingToResume), .usage),
        Row(transport(.invalidAddress, .parse), .usage),
        Row(transport(.invalidAddress, .resolve), .usage),
        Row(collective(.notShared("two hosts")), .usage),
        Row(StepError.collective(collective(.notShared("two hosts"))), .usage),
        Row(UnsuitableRun("no attention"), .usage),
        Row(WorkerFailure(exitCode: .usage, message: "no"), .usage),
    ]

    /// Missing, damaged and unsuitable files.
    private static let data: [Row] = [
        Row(DataError(file: "a.gz", problem: .missing), .data),
        Row(DataError(file: "a.gz", problem: .truncated(expected: 2, got: 1)), .data),
        Row(SourceProblem(line: 1, symbols: 9, limit: 8), .data),
        Row(CheckpointError(path: "a", problem: .malformed(what: "no header", byte: 0)), .data),
        Row(CheckpointError(path: "a", problem: .wrongSize(expected: 2, got: 1)), .data),
        Row(CheckpointError(path: "a", problem: .wrongDigest(expected: "x", got: "y")), .data),
        Row(CheckpointError(path: "a", problem: .badManifest(reason: "empty")), .data),
        Row(CheckpointError(path: "a", problem: .newerFormat(version: 9, known: 1)), .data),
        Row(CheckpointError(path: "a", problem: .noneUsable(warnings: [])), .data),
        Row(StateMismatch(file: "model.safetensors", problem: "no bias"), .data),
        Row(CheckpointGone(step: 6, found: nil, path: "out"), .data),
        Row(RendezvousError(.aborted(exitCode: .data), "no data"), .data),
    ]

    private static let peersLost: [Row] = [
        Row(collective(.closed), .peersLost),
        Row(StepError.collective(collective(.stalled(timeout: .seconds(3)))), .peersLost),
        Row(transport(.refused, .connect), .peersLost),
        Row(transport(.closed, .receive), .peersLost),
        Row(transport(.nameNotFound, .resolve), .peersLost),
        Row(RendezvousError(.unreachable, "nobody"), .peersLost),
        Row(RendezvousError(.coordinatorLost, "gone"), .peersLost),
        Row(RendezvousError(.coordinatorSilent, "silent"), .peersLost),
        Row(RendezvousError(.timedOut, "late"), .peersLost),
        Row(LaunchingError.noRoute(host: "a", reason: "none"), .peersLost),
        Row(LaunchingError.unknownHost(host: "a", reason: "none"), .peersLost),
        Row(BenchError(exitCode: .peersLost, description: "gone"), .peersLost),
        Row(WorkerFailure(exitCode: .peersLost, message: "gone"), .peersLost),
    ]

    private static let failed: [Row] = [
        Row(StepError.diverged(step: 3, lossSum: .nan), .failed),
        Row(StepError.tooManySamples(step: 3, count: 1 << 24), .failed),
        Row(CheckpointError(path: "a", problem: .system(operation: "open", code: 13)), .failed),
        Row(CheckpointError(path: "a", problem: .badFileName(name: "/")), .failed),
        Row(CheckpointError(path: "a", problem: .invalidArray(name: "a", reason: "b")), .failed),
        Row(RunFolderError(path: "out", problem: .cannotCreate(reason: "full")), .failed),
        Row(RunFolderError(path: "out", problem: .cannotWrite(file: "a", reason: "full")), .failed),
        Row(transport(.addressInUse, .bind), .failed),
        Row(transport(.system, .bind), .failed),
        Row(RendezvousError(.closed, "closed"), .failed),
        Row(RendezvousError(.protocolViolation, "nonsense"), .failed),
        Row(RendezvousError(.restart(arithmetic: "Haswell"), "again"), .failed),
        Row(LaunchingError.system(subject: "a", operation: "b", errorNumber: 1), .failed),
        Row(LaunchingError.notAnnounced(reason: "silent"), .failed),
        Row(DivergedModel(folder: "out"), .failed),
        Row(LedgerMissing(path: "ledger.jsonl"), .failed),
        Row(ModelMismatch(saved: "a", reported: "b"), .failed),
        Row(BenchError(description: "wrong sum"), .failed),
        Row(ArithmeticUnavailable("no memory"), .failed),
        Row(PictureError(path: "a.png", reason: "full"), .failed),
        Row(ChaosFailure("the run stopped"), .failed),
        Row(CancellationError(), .failed),
    ]

    @Test(arguments: usage + data + peersLost + failed)
    func anErrorEndsTheProcessWithItsCode(_ row: Row) {
        #expect(ExitCode(of: row.error) == row.code)
    }

    @Test func anInterruptedComparisonEndsAsInterrupted() {
        #expect(ExitCode(of: ChaosInterrupted()) == .interrupted)
    }

    /// The numbers are documented; scripts depend on them.
    @Test func codesHaveTheirDocumentedNumbers() {
        #expect(ExitCode.allCases.map(\.rawValue) == [0, 1, 2, 3, 4, 5, 130])
        #expect(ExitCode(status: 3) == .data && ExitCode(status: 77) == .failed)
    }
}
