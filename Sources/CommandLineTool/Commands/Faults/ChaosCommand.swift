import ExitCodes
import RunFolders
import RunProcesses
import Foundation
import Launching
import Configuration
import Learning
import Synchronization
import Training
import Transport

/// `rondo chaos`: trains while processes die and links break, and compares with an undisturbed run.
enum ChaosCommand {
    static let command = Command(
        specification: CommandSpecification(
            name: "chaos",
            summary: "trains while killing, stopping and cutting off workers, and compares",
            discussion: [
                "Trains twice: first undisturbed, then with K events that are drawn from the seed, each "
                    + "at a step of the run. An event waits until the run has recovered from the "
                    + "previous one and all N workers are back. The same seed gives the same events.",
                "Kinds: kill (SIGKILL to a worker), stop (SIGSTOP, SIGCONT after 0.5 to 4 s), "
                    + "checkpoint (SIGKILL to the worker that sends a checkpoint), leave (SIGTERM; "
                    + "another worker joins), reset and cut (a link to the coordinator or within the "
                    + "ring is reset, or carries nothing for 0.5 to 4 s), coordinator (SIGKILL to the "
                    + "coordinator; or give --coordinator), disk (a limit on the size of the "
                    + "coordinator's files, in which a checkpoint finds no room; by name only).",
                "The recovery time of an event goes from the event to the commit of the first step "
                    + "by the members after it, or of the next step if the members stayed the same; "
                    + "the pause is that time without what this step took, mostly the lost replicas "
                    + "computed again, and without an evaluation that was due before it.",
                "The exit code is 0 only if all events happened, the model has the hash of the "
                    + "undisturbed run and the audit is clean. No process outlives the command.",
            ],
            positionals: [RunOptions.configurationPositional],
            options: [
                .init("workers", value: "N", "worker processes (default: 2)"),
                .init("kill", value: "K", "how many events (default: 5)"),
                .init("seed", value: "S", "what the events are drawn from (default: 1)"),
                .init(
                    "reference", value: "HASH",
                    "the model_sha256 of an undisturbed run, which is then not repeated"),
                .init(
                    "events", value: "KINDS",
                    "the kinds to draw from, with commas (default: kill,stop,checkpoint,leave,reset,cut)"
                ),
                .init("coordinator", "kill the coordinator too"),
                .init(
                    "output", value: "DIR",
                    "where both runs go (default: runs/<the configuration's name>-chaos)"),
                .init("overwrite", "replace the runs that are there"),
                .init("steps", value: "N", "train for N steps in all"),
                .init(
                    "set", value: "KEY.PATH=VALUE", repeats: true,
                    "change a key of the configuration; may be given again"),
            ],
            examples: [
                "rondo chaos configs/fashion-mnist-cnn.json --workers 3 --kill 20 --seed 1"
            ]),
        run: run)

    private static func run(
        _ arguments: ParsedArguments, _ tasks: TaskList
    ) throws -> ExitCode {
        let isInterrupted = InterruptFlag()
        try SignalWatch.start { _ in isInterrupted.set() }
        let chaos = try Chaos(
            arguments, tasks, isInterrupted: { isInterrupted.isSet })
        let result: ExitCode
        do {
            result = try chaos.run()
        } catch {
            chaos.end()
            guard error is ChaosInterrupted else { throw error }
            Console.errorText("interrupted; all processes are ended")
            return .interrupted
        }
        return chaos.end() == 0 ? result : .failed
    }
}

private final class InterruptFlag: Sendable {
    private let value = Atomic(false)

    func set() { value.store(true, ordering: .relaxed) }
    var isSet: Bool { value.load(ordering: .relaxed) }
}

/// The undisturbed run, the disturbed one and their comparison.
private final class Chaos {
    private let arguments: ParsedArguments
    private let tasks: TaskList
    private let workerCount: Int
    private let configuration: RunConfiguration
    private let path: String
    private let plan: ChaosPlan
    private let notes: [String]
    private let processes: ChaosProcesses
    private let isInterrupted: () -> Bool
    private var relay: Relay?

    init(
        _ arguments: ParsedArguments, _ tasks: TaskList,
        isInterrupted: @escaping () -> Bool
    ) throws {
        self.tasks = tasks
        self.arguments = arguments
        self.isInterrupted = isInterrupted
        workerCount = try arguments.integer("workers", in: 1...256) ?? 2
        let count = try arguments.integer("kill", in: 1...100_000) ?? 5
        let seed = try arguments.integer("seed", in: 0...Int.max) ?? 1
        var overrides = arguments.texts("set")
        if let steps = try arguments.integer("steps", in: 1...1_000_000_000) {
            overrides.append("steps=\(steps)")
        }
        configuration = try RunConfiguration.load(
            path: arguments.positionals[0], overrides: overrides,
            tasks: tasks)
        let preflight = try RunPreflight(
            configuration.withAbsoluteDataPaths, workerCount: workerCount)
        path = arguments.text("output") ?? "runs/\(configuration.name)-chaos"
        var (kinds, notes) = try Self.kinds(arguments, workerCount)
        let checkpoints = configuration.settings.checkpointSteps(preflight)
        if kinds.contains(where: \.needsCheckpoint), checkpoints.isEmpty {
            notes.append("the run sends no checkpoint before its end: none can be disturbed")
            kinds.removeAll(where: \.needsCheckpoint)
            if kinds.isEmpty { throw UsageError("no event is left for this run") }
        }
        self.notes = notes
        plan = ChaosPlan(
            seed: UInt64(seed), count: count, steps: preflight.totalSteps, kinds: kinds,
            checkpointSteps: checkpoints)
        processes = ChaosProcesses(folder: path, threads: configuration.threads)
        for name in ["reference", "disturbed"] {
            try RunFolder(path: "\(path)/\(name)").check(
                arguments.has("overwrite") ? .overwrite : .begin)
        }
    }

    /// The kinds of events that this run can have, and notes about those that it cannot.
    private static func kinds(
        _ arguments: ParsedArguments, _ workerCount: Int
    ) throws -> ([ChaosKind], [String]) {
        var kinds: [ChaosKind] = [.kill, .stop, .checkpoint, .leave, .reset, .cut]
        if let text = arguments.text("events") {
            kinds = try text.split(separator: ",").map { word in
                guard let kind = ChaosKind(rawValue: String(word)) else {
                    let known = ChaosKind.allCases.map(\.rawValue)
                    throw UsageError(
                        "'\(word)' is no kind of event; known: \(known.joined(separator: ", "))")
                }
                return kind
            }
        }
        if arguments.has("coordinator"), !kinds.contains(.coordinator) {
            kinds.append(.coordinator)
        }
        var notes: [String] = []
        if workerCount == 1, kinds.contains(.leave) {
            notes.append("one worker alone cannot leave: no such event")
            kinds.removeAll { $0 == .leave }
        }
        if kinds.contains(.disk),
            !FileManager.default.isExecutableFile(atPath: ChaosProcesses.limiterPath)
        {
            notes.append("there is no \(ChaosProcesses.limiterPath): no full disk")
            kinds.removeAll { $0 == .disk }
        }
        guard !kinds.isEmpty else { throw UsageError("no event is left for this run") }
        return (kinds, notes)
    }

    func run() throws -> ExitCode {
        for note in notes { Console.errorText("note: \(note)") }
        let reference = try arguments.text("reference") ?? undisturbed()
        let folder = RunFolder(path: "\(path)/disturbed")
        var trainArguments = self.trainArguments("disturbed")
        if plan.events.contains(where: { $0.kind.needsRelay }) {
            let relay = try Relay(upstream: {
                CoordinatorPlace(in: folder).flatMap { try? $0.reachable() }
            })
            relay.start()
            self.relay = relay
            trainArguments.append("--relay=\(relay.address)")
        }
        Console.errorText("disturbed run: \(plan.events.count) events in \(folder.path)")
        try processes.startTraining("disturbed", trainArguments)
        let run = ChaosRun(
            folder: folder, workerCount: workerCount, processes: processes, relay: relay,
            isInterrupted: isInterrupted, print: Console.errorText)
        do {
            try run.disturb(plan)
            try run.awaitEnd()
        } catch let failure as ChaosFailure {
            for line in ChaosTable.lines(run.outcomes) { Console.output(line) }
            throw failure
        }
        return try report(run, folder, reference)
    }

    /// Ends all processes and returns how many of them had to be killed.
    @discardableResult
    func end() -> Int {
        let count = processes.end()
        relay?.stop()
        if count > 0 { Console.errorText("\(count) processes did not end by themselves") }
        return count
    }

    private func trainArguments(_ name: String) -> [String] {
        var result = [
            arguments.positionals[0], "--workers=\(workerCount)", "--output=\(path)/\(name)",
        ]
        if let steps = arguments.text("steps") { result.append("--steps=\(steps)") }
        if arguments.has("overwrite") { result.append("--overwrite") }
        return result + arguments.texts("set").map { "--set=\($0)" }
    }

    /// The model hash of an undisturbed run.
    private func undisturbed() throws -> String {
        Console.errorText("undisturbed run in \(path)/reference")
        try processes.startTraining("reference", trainArguments("reference"))
        while processes.train?.status == nil {
            if isInterrupted() { throw ChaosInterrupted() }
            ChaosProcesses.pause(.milliseconds(50))
        }
        return try hash("reference")
    }

    /// The model hash in the result line of a run that has ended.
    private func hash(_ name: String) throws -> String {
        let output = FileManager.default.contents(atPath: processes.outputPath(name)) ?? Data()
        let line = String(decoding: output, as: UTF8.self).split(separator: "\n").last ?? ""
        guard processes.train?.status?.isSuccess ?? false, line.hasPrefix("result "),
            let result = try? JSONDecoder().decode(
                ResultLine.self, from: Data(line.dropFirst(7).utf8))
        else {
            let end = processes.train?.status?.description ?? "did not start"
            let last = Supervisor.lastLines(of: "\(path)/\(name)-log.txt", count: 3)
            throw ChaosFailure(
                "the \(name) run \(end): \(last.joined(separator: " | ")); see "
                    + "\(path)/\(name)-log.txt")
        }
        return result.modelDigest
    }

    private struct ResultLine: Decodable {
        let modelDigest: String

        enum CodingKeys: String, CodingKey { case modelDigest = "model_sha256" }
    }

    private struct Summary: Encodable {
        let events: [ChaosOutcome]
        let missed: [String]
        let modelDigest: String
        let referenceDigest: String
        let audit: String

        enum CodingKeys: String, CodingKey {
            case events, missed, audit
            case modelDigest = "model_sha256"
            case referenceDigest = "reference_sha256"
        }
    }

    private func report(_ run: ChaosRun, _ folder: RunFolder, _ reference: String) throws
        -> ExitCode
    {
        let found = try hash("disturbed")
        let audit = try LedgerAudit.report(of: folder, tasks: tasks)
        for line in ChaosTable.lines(run.outcomes) { Console.output(line) }
        for line in run.missed { Console.output("missed: \(line)") }
        for fault in audit.faults { Console.output("fault: \(fault)") }
        Console.output("audit: \(AuditText.verdict(audit))")
        Console.output(
            found == reference
                ? "model: \(found), as undisturbed"
                : "model: \(found), but undisturbed \(reference)")
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        let summary = Summary(
            events: run.outcomes, missed: run.missed, modelDigest: found,
            referenceDigest: reference, audit: AuditText.verdict(audit))
        Console.output("result " + String(decoding: try encoder.encode(summary), as: UTF8.self))
        return found == reference && audit.isClean && run.missed.isEmpty ? .done : .failed
    }
}

extension RunSettings {
    /// The steps after which workers send a checkpoint, without the last step.
    fileprivate func checkpointSteps(_ preflight: RunPreflight) -> [Int] {
        let total = preflight.totalSteps
        var steps: Set<Int> = []
        if let every = checkpoint.everySteps {
            steps.formUnion(stride(from: every, to: total, by: every))
        }
        if checkpoint.everyEpochs > 0 {
            let every = checkpoint.everyEpochs * preflight.plan.stepsPerEpoch
            steps.formUnion(stride(from: every, to: total, by: every))
        }
        return steps.sorted()
    }
}
