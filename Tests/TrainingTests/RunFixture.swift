// A run's surroundings in a temporary folder: four tiny data files, a configuration, a folder for
// the run, and a coordinator that a test's own thread speaks to as a worker would.

import Foundation
import Kernels
import Rendezvous
import Configuration
import Learning
import RunFolders
import TaskCatalog
import Training
import Transport
import WireFormat

/// The figures of images, as their task has them.
let testMetrics = Metrics(
    counted: "images", sums: ["correct"], training: Metrics.trainingFigures,
    evaluationSums: ["images", "loss", "correct"],
    evaluation: [
        .mean("test_accuracy", of: 2, over: 0, .share, .higher),
        .mean("test_loss", of: 1, over: 0, .number(decimals: 4), .lower),
    ], lossKey: "test_loss")

/// All tasks that there are.
let tasks = TaskList(allTasks)

/// Far above what any step of these tests takes, so that it only ends what hangs.
let patience = Duration.seconds(30)

/// Removed with everything in it when nobody holds it any more.
final class RunFixture {
    static let trainingCount = 16
    static let testCount = 8

    let path = FileManager.default.temporaryDirectory.path + "/rondo-training-\(UUID().uuidString)"
    var folder: RunFolder { RunFolder(path: "\(path)/out") }

    init() throws {
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
        for (name, count) in [("train", Self.trainingCount), ("t10k", Self.testCount)] {
            let images = Data((0..<count * 4).map { UInt8($0 * 37 % 251) })
            try write(
                Data([0, 0, 8, 3, 0, 0, 0, UInt8(count), 0, 0, 0, 2, 0, 0, 0, 2]) + images,
                "\(name)-images")
            try write(
                Data([0, 0, 8, 1, 0, 0, 0, UInt8(count)])
                    + Data((0..<count).map { UInt8($0 * 7 % 10) }),
                "\(name)-labels")
        }
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }

    private func write(_ bytes: Data, _ name: String) throws {
        try bytes.write(to: URL(fileURLWithPath: "\(path)/\(name)"))
    }

    func configuration(_ overrides: String...) throws -> RunConfiguration {
        try configuration(overrides)
    }

    func configuration(_ overrides: [String]) throws -> RunConfiguration {
        let text = """
            {
              replicas: 2, batchSize: 4, steps: 4,
              data: {
                trainImages: "\(path)/train-images", trainLabels: "\(path)/train-labels",
                testImages: "\(path)/t10k-images", testLabels: "\(path)/t10k-labels",
              },
              model: { layers: [
                { type: "flatten" }, { type: "linear", name: "output", outputFeatures: 10 },
              ] },
              optimizer: { type: "sgd", learningRate: 0.1 },
            }
            """
        return try RunConfiguration.parse(
            Data(text.utf8), origin: "run.json", defaultName: "run", overrides: overrides,
            tasks: tasks)
    }

    /// A recorder with the files of a run; its display shows nothing unless `write` does.
    /// - Parameter change: changes who observes the run.
    func recorder(
        _ configuration: RunConfiguration, write: @escaping (String) -> Void = { _ in },
        change: (inout [any RunObserver]) -> Void = { _ in }
    ) throws -> RunRecorder {
        let preflight = try RunPreflight(configuration, workerCount: 1)
        try folder.describe(configuration, preflight.outline)
        var list = try ObserverList(
            folder: folder, configuration: configuration, startStep: 0, takeover: nil,
            display: display(write: write))
        change(&list.observers)
        return try RunRecorder(
            folder: folder, configuration: configuration, preflight: preflight, start: .start,
            takeover: nil, observers: list, announce: { _ in })
    }

    func display(write: @escaping (String) -> Void) -> ProgressDisplay {
        ProgressDisplay(
            .init(
                isTerminal: false, width: 80, totalSteps: 4, stepsPerEpoch: 2, startStep: 0,
                workers: 1, metrics: testMetrics), write: write)
    }

    func exists(_ name: String) -> Bool {
        FileManager.default.fileExists(atPath: "\(path)/\(name)")
    }

    func text(_ name: String) throws -> String {
        try String(contentsOfFile: "\(path)/\(name)", encoding: .utf8)
    }
}

/// A coordinator on a thread of its own.
final class LedRun: @unchecked Sendable {
    private let done = DispatchSemaphore(value: 0)
    // Written before `done` is signalled, read after it was waited for.
    private var result: CoordinatorEnd?
    private var screenText = ""
    private(set) var address: SocketAddress?
    private let isListening = DispatchSemaphore(value: 0)

    struct Overdue: Error {}

    init(
        _ fixture: RunFixture, _ configuration: RunConfiguration, mode: RunFolder.Mode = .begin,
        workers: Int = 1
    ) throws {
        let run = try CoordinatorRun(
            CoordinatorOptions(
                configuration: configuration, folder: fixture.folder, mode: mode,
                workerCount: workers,
                listenAddress: try SocketAddress(host: "127.0.0.1", port: 0), isTerminal: false,
                terminalWidth: 80), tasks: tasks,
            announce: { [weak self] announcement in
                guard case .listening(let address) = announcement else { return }
                self?.address = address
                self?.isListening.signal()
            }, write: { [weak self] text in self?.screenText += text })
        let thread = Thread { [self] in
            result = run.run()
            done.signal()
        }
        thread.stackSize = 1 << 20
        thread.start()
    }

    func join(slot: Int = 0) throws -> WorkerSession {
        if address == nil {
            guard isListening.wait(timeout: .now() + 30) == .success else { throw Overdue() }
        }
        guard let address else { throw Overdue() }
        let hello = WorkerHello(
            productVersion: ProductVersion.current, hostName: "host\(slot)",
            processID: Int32(100 + slot), slot: slot, dataPort: 4000 + slot,
            arithmetic: Arithmetic.levels[0], token: nil)
        let client = try WorkerSession.join(
            coordinator: address, hello: hello, deadline: .after(patience))
        try client.send(.prepared)
        return client
    }

    /// How it ended, and what it has put on the screen.
    func end() throws -> (end: CoordinatorEnd, screen: String) {
        guard done.wait(timeout: .now() + 30) == .success, let result else { throw Overdue() }
        done.signal()
        return (result, screenText)
    }
}

extension WorkerSession {
    func awaitAssignment(deadline: Deadline) throws -> Assignment {
        guard case .assignment(let assignment) = try awaitNext(deadline: deadline) else {
            throw LedRun.Overdue()
        }
        return assignment
    }
}

func stepReport(_ step: Int) -> StepReport {
    StepReport(
        step: step, epoch: 1, lossSum: 1, sampleCount: 4, sums: [2], seconds: 0.5,
        learningRate: 0.1)
}
