// The control messages' bytes: round trips of every message, bounds, and arbitrary bytes.

import Foundation
import Testing
import WireFormat

struct ControlMessageTests {
    private static let step = StepReport(
        step: 1, epoch: 1, lossSum: 2.5, sampleCount: 4, lossWeight: 3.5, sums: [3, 0.5],
        seconds: 0.25, learningRate: 0.1, gradientNorm: 0.5)
    private static let header = CheckpointHeader(
        step: 40, isFinal: true, files: [.init(name: "model.safetensors", byteCount: 8)])

    private static let fromWorker: [WorkerMessage] = [
        .hello(hello(1, slot: 3, token: "secret")),
        .ready(ReadyReport(generation: 1, step: 40, weightsDigest: "abc")),
        .prepared,
        .hello(
            hello(
                2,
                standing: WorkerStanding(
                    generation: 3, rank: 1,
                    ready: ReadyReport(generation: 3, step: 40, weightsDigest: "abc"),
                    halted: HaltReport(
                        generation: 3, step: 41, hasState: false, keptReplicas: [], cause: nil,
                        suspect: nil), finished: report()))),
        .halted(
            HaltReport(
                generation: 2, step: 41, hasState: true, keptReplicas: [0, 3], cause: "closed",
                suspect: 1)),
        .leaving(LeaveRequest(reason: "a signal")),
        .heartbeat(WorkerHeartbeat(step: 3, phase: "step")),
        .steps(StepReports(reports: [step, step])),
        .evaluation(
            EvaluationReport(
                step: 1, epoch: 1, sampleCount: 3, figures: [0.5, 1], seconds: 1)),
        .checkpointBegin(header),
        .checkpointEnd(CheckpointTrailer(step: 40, byteCount: 8)),
        .finished(report()),
        .failed(FailureReport(exitCode: .data, message: "no data \"here\"\n")),
    ]

    private static let fromCoordinator: [CoordinatorMessage] = [
        .refused(Refusal(reason: .runFull, message: "full")),
        .restart(ArithmeticRestart(arithmetic: "low")),
        .welcome(
            RunDescription(
                configurationJSON: "{\"seed\": 1}", runToken: "0123",
                heartbeatInterval: .seconds(1), heartbeatTimeout: .seconds(5))),
        .welcome(
            RunDescription(
                configurationJSON: "{}", runToken: "0123", heartbeatInterval: .seconds(1),
                heartbeatTimeout: .seconds(5),
                attachedRecord: RecordPosition(
                    reportedStep: 7, evaluatedStep: 5, checkpointStep: 3))),
        .assignment(
            Assignment(
                generation: 1, rank: 1, deal: .equal(replicaCount: 5, worldSize: 2),
                addresses: ["127.0.0.1:1", "[::1]:2"], startStep: 40, stopAfterStep: 60,
                transfer: .state, root: 1, stateFollows: true,
                record: RecordPosition(reportedStep: 39, evaluatedStep: 30, checkpointStep: 20),
                arithmetic: "low")),
        .checkpointBegin(header),
        .checkpointEnd(CheckpointTrailer(step: 40, byteCount: 8)),
        .heartbeat,
        .halt(HaltRequest(generation: 3)),
        .pause(HaltRequest(generation: 4)),
        .stop(StopRequest(reason: "interrupted")),
        .end,
        .abort(FailureReport(exitCode: .peersLost, message: "rank 1 is gone")),
    ]

    @Test(arguments: fromWorker)
    func workerMessagesComeBackEqual(message: WorkerMessage) throws {
        #expect(try WorkerMessage(decoding: try message.encoded()) == message)
    }

    @Test(arguments: fromCoordinator)
    func coordinatorMessagesComeBackEqual(message: CoordinatorMessage) throws {
        #expect(try CoordinatorMessage(decoding: try message.encoded()) == message)
    }

    @Test func theWireFormIsOneFlatObject() throws {
        let bytes = try Self.fromWorker[1].encoded()
        #expect(
            String(decoding: bytes, as: UTF8.self)
                == #"{"generation":1,"step":40,"type":"ready","weightsDigest":"abc"}"#)
    }

    @Test func aDivergedLossTravels() throws {
        var diverged = Self.step
        diverged.lossSum = .nan
        let bytes = try WorkerMessage.steps(StepReports(reports: [diverged])).encoded()
        guard case .steps(let list) = try WorkerMessage(decoding: bytes) else {
            Issue.record("another message came back")
            return
        }
        #expect(list.reports[0].lossSum.isNaN)
    }

    @Test(arguments: [
        (
            #"{"type":"ready","generation":1,"step":-1,"weightsDigest":"a"}"#,
            "bad 'ready' message: 'step' is out of range: -1"
        ),
        (
            #"{"type":"ready","generation":1,"weightsDigest":"a"}"#,
            "not a control message: 'step' is missing"
        ),
        (
            #"{"type":"ready","generation":1,"step":"x","weightsDigest":"a"}"#,
            "not a control message: 'step' is not a Int"
        ),
        (
            #"{"type":"heartbeat","step":1,"phase":"a\nb","dealNumber":0}"#,
            "bad 'heartbeat' message: 'phase' holds control characters"
        ),
        (
            #"{"type":"failed","exitCode":0,"message":""}"#,
            "bad 'failed' message: 'exitCode' is out of range: 0"
        ),
        (
            #"{"type":"checkpointBegin","step":1,"isFinal":true,"files":[{"name":".x","byteCount":1}]}"#,
            "bad 'checkpointBegin' message: a file has a name that is not a plain one"
        ),
        (
            #"{"type":"halted","generation":1,"step":1,"hasState":true,"keptReplicas":[0,-1]}"#,
            "bad 'halted' message: 'keptReplicas' is out of range: -1"
        ),
        (#"{"type":"what"}"#, "not a control message: 'type' is unreadable"),
        ("", "not a control message: the message is unreadable"),
    ])
    func badMessagesAreNamed(json: String, words: String) {
        #expect(throws: ControlMessageError(words)) {
            try WorkerMessage(decoding: Array(json.utf8))
        }
    }

    /// Each list is refused one number above its bound; at its bound, a message of the longest reports
    /// still fits into a frame.
    @Test func sumsAndFiguresAreBounded() throws {
        let large = Double(ControlProtocol.countLimit) - 1 / 3.0
        var step = StepReport(
            step: ControlProtocol.countLimit, epoch: ControlProtocol.countLimit, lossSum: -large,
            sampleCount: ControlProtocol.countLimit, lossWeight: .leastNonzeroMagnitude,
            sums: [Double](repeating: -.greatestFiniteMagnitude, count: StepReport.sumLimit),
            seconds: 1.0 / 3, learningRate: .leastNonzeroMagnitude, gradientNorm: large,
            firstPosition: ControlProtocol.countLimit, time: 1e11 / 3,
            dealNumber: ControlProtocol.countLimit)
        let longest = WorkerMessage.steps(
            StepReports(reports: Array(repeating: step, count: StepReports.countLimit)))
        #expect(try longest.encoded().count <= ControlFrame.payloadByteCountLimit)
        step.sums.append(0)
        #expect(
            throws: ControlMessageError(
                "cannot send 'steps': 'sums' has 17 numbers, at most 16 are allowed")
        ) { try WorkerMessage.steps(StepReports(reports: [step])).encoded() }

        var evaluation = EvaluationReport(
            step: 1, epoch: 1, sampleCount: 1,
            figures: [Double](repeating: large, count: EvaluationReport.figureLimit), seconds: 1)
        let bytes = try WorkerMessage.evaluation(evaluation).encoded()
        #expect(bytes.count <= ControlFrame.payloadByteCountLimit)
        let text = String(decoding: bytes, as: UTF8.self)
        let longer = text.replacingOccurrences(of: #""figures":["#, with: #""figures":[0,"#)
        #expect(
            throws: ControlMessageError(
                "bad 'evaluation' message: 'figures' has 1025 numbers, at most 1024 are allowed")
        ) { try WorkerMessage(decoding: Array(longer.utf8)) }
        evaluation.figures.append(0)
        #expect(throws: ControlMessageError.self) {
            try WorkerMessage.evaluation(evaluation).encoded()
        }
    }

    @Test func anAssignmentMustAddUp() throws {
        let good = try Self.fromCoordinator[4].encoded()
        let text = String(decoding: good, as: UTF8.self)
        for (old, new) in [
            (#""rank":1"#, #""rank":2"#), (#""root":1"#, #""root":2"#),
            (#"[3,2]"#, #"[3,2,1]"#), (#"[3,2]"#, #"[3,-2]"#),
            (#"[3,2]"#, "[]"), (#""evaluatedStep":30"#, #""evaluatedStep":-30"#),
        ] {
            let bad = text.replacingOccurrences(of: old, with: new)
            #expect(bad != text, "\(old) is in the message")
            #expect(throws: ControlMessageError.self) {
                try CoordinatorMessage(decoding: Array(bad.utf8))
            }
        }
    }

    @Test func damagedMessagesNeverTrap() throws {
        let seed: UInt64 = 20_260_701
        var generator = SeededGenerator(seed: seed)
        var readable = 0
        for message in Self.fromWorker {
            let bytes = try message.encoded()
            for _ in 0..<200 {
                var damaged = bytes
                for _ in 0..<Int.random(in: 1...4, using: &generator) {
                    damaged[Int.random(in: 0..<damaged.count, using: &generator)] =
                        UInt8.random(in: 0...255, using: &generator)
                }
                if (try? WorkerMessage(decoding: damaged)) != nil { readable += 1 }
            }
        }
        // Some damage only changes a digit; most must be found.
        #expect(readable < Self.fromWorker.count * 100, "seed \(seed)")
    }

    // MARK: - Files

    @Test func filesAreCountedAgainstTheirAnnouncement() throws {
        let header = CheckpointHeader(
            step: 7, isFinal: false,
            files: [
                .init(name: "empty", byteCount: 0), .init(name: "a", byteCount: 3),
                .init(name: "b", byteCount: 2),
            ])
        var assembly = FileAssembly(header: header)
        try assembly.append([1, 2])
        #expect(throws: ControlMessageError("'a' is larger than the announced 3 bytes")) {
            var copy = assembly
            try copy.append([3, 4])
        }
        try assembly.append([3])
        #expect(
            throws: ControlMessageError("the files of step 7 ended after 3 bytes, expected 5")
        ) { try assembly.finish(CheckpointTrailer(step: 7, byteCount: 5)) }
        try assembly.append([4, 5])
        #expect(throws: ControlMessageError("more file bytes than were announced")) {
            var copy = assembly
            try copy.append([6])
        }
        let files = try assembly.finish(CheckpointTrailer(step: 7, byteCount: 5))
        #expect(files.map(\.name) == ["empty", "a", "b"])
        #expect(files.map(\.bytes) == [Data(), Data([1, 2, 3]), Data([4, 5])])
    }
}

/// SplitMix64: the same numbers from the same seed on every machine.
struct SeededGenerator: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) {
        state = seed
    }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }
}
