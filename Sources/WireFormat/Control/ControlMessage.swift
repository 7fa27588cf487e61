// The control plane's messages between a worker and the coordinator.
//
// There is one enumeration per direction, so that neither side can be handed a message that only
// it may send. On the wire a message is one JSON object in a control frame; its key "type" names
// the case and the remaining keys are the fields of the case's body:
//
//     {"type":"ready","generation":1,"step":0,"weightsDigest":"9f2c..."}
//
// Bodies live in ControlMessageWorker.swift, ControlMessageCoordinator.swift and
// ControlMessageTransfer.swift and ControlMessageStatus.swift. Every body states its own bounds in
// `problem`; a message that breaks them is refused while it is decoded, so that the layers above
// may do arithmetic on any number that reaches them. The bytes of files travel beside the messages
// as blob frames.

import Foundation

/// The facts of the control protocol that both sides must share.
package enum ControlProtocol {
    /// Raised whenever a message changes its meaning; workers of another version are refused.
    package static let version = 3
    /// The most file bytes that one blob frame carries.
    package static let blobByteLimit = 256 * 1024
    /// The largest step, epoch or sample count that a message may carry. Far above any run, and
    /// low enough that sums and products with small factors cannot overflow.
    package static let countLimit = 1 << 48
}

/// A message that could not be encoded or decoded, and why.
package struct ControlMessageError: Error, Hashable, Sendable, CustomStringConvertible {
    package let description: String

    package init(_ description: String) {
        self.description = description
    }
}

/// The body of a control message: plain data that knows its own bounds.
package protocol ControlMessageBody: Codable, Hashable, Sendable {
    /// What is wrong with the values, or nil when all of them are within their bounds.
    var problem: String? { get }
}

/// A message from a worker to the coordinator.
package enum WorkerMessage: Hashable, Sendable {
    /// The first message on a connection: who is asking to join.
    case hello(WorkerHello)
    /// The data is read and the model built: the worker can take part in a generation.
    case prepared
    /// The ring is open and the weights are in place.
    case ready(ReadyReport)
    /// The worker has left its ring and waits for the next generation.
    case halted(HaltReport)
    /// The worker wants to leave before the next generation.
    case leaving(LeaveRequest)
    /// A sign of life, with the step and phase that the worker is in.
    case heartbeat(WorkerHeartbeat)
    /// Steps that were committed since the last report (sent by rank 0).
    case steps(StepReports)
    /// The metrics of the test split (sent by rank 0).
    case evaluation(EvaluationReport)
    /// Files follow as blob frames, in the order of the list (sent by rank 0).
    case checkpointBegin(CheckpointHeader)
    /// The last byte of the announced files has been sent.
    case checkpointEnd(CheckpointTrailer)
    /// This worker has done its part of the run, or stopped when it was asked to.
    case finished(FinishedReport)
    /// This worker cannot go on.
    case failed(FailureReport)
    /// Not from a worker: a question how the run goes. Always the first message of its connection.
    case status(StatusRequest)
}

/// A message from the coordinator to a worker.
package enum CoordinatorMessage: Hashable, Sendable {
    /// The worker may not take part; the connection is closed next.
    case refused(Refusal)
    /// The worker has to start itself anew with another arithmetic and join again.
    case restart(ArithmeticRestart)
    /// The worker is a member; what the run is about.
    case welcome(RunDescription)
    /// A generation is open: the worker's rank, its peers and its replicas.
    case assignment(Assignment)
    /// The state to resume from follows as blob frames, in the order of the list.
    case checkpointBegin(CheckpointHeader)
    /// The last byte of the announced files has been sent.
    case checkpointEnd(CheckpointTrailer)
    /// A sign of life.
    case heartbeat
    /// Leave the ring at once: a member is lost.
    case halt(HaltRequest)
    /// Leave the ring after the step that is under way: the members are about to change.
    case pause(HaltRequest)
    /// Another deal, in effect as soon as all members have it.
    case redeal(DealChange)
    /// Finish the current step everywhere, save, and report `finished(stopped: true)`.
    case stop(StopRequest)
    /// The run is over and went well.
    case end
    /// The run is over and failed.
    case abort(FailureReport)
    /// How the run goes; the connection is closed next.
    case status(StatusReport)
}

// MARK: - JSON

/// A message as it stands on the wire: its type's name and its body.
private protocol TaggedMessage: Codable {
    associatedtype Tag: RawRepresentable, Codable where Tag.RawValue == String
    var tag: Tag { get }
    var body: (any ControlMessageBody)? { get }
}

private enum TagKey: String, CodingKey {
    case type
}

extension TaggedMessage {
    /// Writes the tag and the body's fields into one object.
    fileprivate func encodeTagged(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: TagKey.self)
        try container.encode(tag, forKey: .type)
        try body?.encode(to: encoder)
    }

    fileprivate func encodedTagged() throws(ControlMessageError) -> [UInt8] {
        if let problem = body?.problem {
            throw ControlMessageError("cannot send '\(tag.rawValue)': \(problem)")
        }
        let encoder = JSONEncoder()
        // A diverged run has losses that JSON has no numbers for; they are worth reporting.
        encoder.nonConformingFloatEncodingStrategy = .convertToString(
            positiveInfinity: "inf", negativeInfinity: "-inf", nan: "nan")
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        do {
            return [UInt8](try encoder.encode(self))
        } catch {
            throw ControlMessageError("cannot encode '\(tag.rawValue)': \(error)")
        }
    }

    fileprivate init(decodingTagged bytes: [UInt8]) throws(ControlMessageError) {
        let decoder = JSONDecoder()
        decoder.nonConformingFloatDecodingStrategy = .convertFromString(
            positiveInfinity: "inf", negativeInfinity: "-inf", nan: "nan")
        do {
            self = try decoder.decode(Self.self, from: Data(bytes))
        } catch {
            throw ControlMessageError("not a control message: \(Self.message(for: error))")
        }
        if let problem = body?.problem {
            throw ControlMessageError("bad '\(tag.rawValue)' message: \(problem)")
        }
    }

    /// Foundation's decoding errors in one short line; a peer's bytes are never quoted back.
    private static func message(for error: any Error) -> String {
        guard let error = error as? DecodingError else { return "unreadable" }
        func field(_ context: DecodingError.Context) -> String {
            let path = context.codingPath.map(\.stringValue).joined(separator: ".")
            return path.isEmpty ? "the message" : "'\(path)'"
        }
        switch error {
        case .keyNotFound(let key, _): return "'\(key.stringValue)' is missing"
        case .typeMismatch(let type, let context): return "\(field(context)) is not a \(type)"
        case .valueNotFound(let type, let context): return "\(field(context)) lacks a \(type)"
        case .dataCorrupted(let context): return "\(field(context)) is unreadable"
        @unknown default: return "unreadable"
        }
    }
}

extension WorkerMessage: TaggedMessage {
    fileprivate enum Tag: String, Codable {
        case hello, prepared, ready, halted, leaving, heartbeat, steps, evaluation
        case checkpointBegin, checkpointEnd, finished, failed, status
    }

    fileprivate var tag: Tag {
        switch self {
        case .hello: .hello
        case .prepared: .prepared
        case .ready: .ready
        case .halted: .halted
        case .leaving: .leaving
        case .heartbeat: .heartbeat
        case .steps: .steps
        case .evaluation: .evaluation
        case .checkpointBegin: .checkpointBegin
        case .checkpointEnd: .checkpointEnd
        case .finished: .finished
        case .failed: .failed
        case .status: .status
        }
    }

    fileprivate var body: (any ControlMessageBody)? {
        switch self {
        case .hello(let body): body
        case .prepared: nil
        case .ready(let body): body
        case .halted(let body): body
        case .leaving(let body): body
        case .heartbeat(let body): body
        case .steps(let body): body
        case .evaluation(let body): body
        case .checkpointBegin(let body): body
        case .checkpointEnd(let body): body
        case .finished(let body): body
        case .failed(let body): body
        case .status(let body): body
        }
    }

    package init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: TagKey.self)
        switch try container.decode(Tag.self, forKey: .type) {
        case .hello: self = .hello(try WorkerHello(from: decoder))
        case .prepared: self = .prepared
        case .ready: self = .ready(try ReadyReport(from: decoder))
        case .halted: self = .halted(try HaltReport(from: decoder))
        case .leaving: self = .leaving(try LeaveRequest(from: decoder))
        case .heartbeat: self = .heartbeat(try WorkerHeartbeat(from: decoder))
        case .steps: self = .steps(try StepReports(from: decoder))
        case .evaluation: self = .evaluation(try EvaluationReport(from: decoder))
        case .checkpointBegin: self = .checkpointBegin(try CheckpointHeader(from: decoder))
        case .checkpointEnd: self = .checkpointEnd(try CheckpointTrailer(from: decoder))
        case .finished: self = .finished(try FinishedReport(from: decoder))
        case .failed: self = .failed(try FailureReport(from: decoder))
        case .status: self = .status(try StatusRequest(from: decoder))
        }
    }

    package func encode(to encoder: any Encoder) throws {
        try encodeTagged(to: encoder)
    }

    /// The message as the payload of a control frame.
    package func encoded() throws(ControlMessageError) -> [UInt8] {
        try encodedTagged()
    }

    /// Reads the payload of a control frame; any bytes give a message or an error.
    package init(decoding bytes: [UInt8]) throws(ControlMessageError) {
        try self.init(decodingTagged: bytes)
    }

    /// The message's type as it stands on the wire, for error messages.
    package var name: String { tag.rawValue }
}

extension CoordinatorMessage: TaggedMessage {
    fileprivate enum Tag: String, Codable {
        case refused, restart, welcome, assignment, checkpointBegin, checkpointEnd
        case heartbeat, halt, pause, redeal, stop, end, abort, status
    }

    fileprivate var tag: Tag {
        switch self {
        case .refused: .refused
        case .restart: .restart
        case .welcome: .welcome
        case .assignment: .assignment
        case .checkpointBegin: .checkpointBegin
        case .checkpointEnd: .checkpointEnd
        case .heartbeat: .heartbeat
        case .halt: .halt
        case .pause: .pause
        case .redeal: .redeal
        case .stop: .stop
        case .end: .end
        case .abort: .abort
        case .status: .status
        }
    }

    fileprivate var body: (any ControlMessageBody)? {
        switch self {
        case .refused(let body): body
        case .restart(let body): body
        case .welcome(let body): body
        case .assignment(let body): body
        case .checkpointBegin(let body): body
        case .checkpointEnd(let body): body
        case .halt(let body): body
        case .pause(let body): body
        case .redeal(let body): body
        case .stop(let body): body
        case .abort(let body): body
        case .status(let body): body
        case .heartbeat, .end: nil
        }
    }

    package init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: TagKey.self)
        switch try container.decode(Tag.self, forKey: .type) {
        case .refused: self = .refused(try Refusal(from: decoder))
        case .restart: self = .restart(try ArithmeticRestart(from: decoder))
        case .welcome: self = .welcome(try RunDescription(from: decoder))
        case .assignment: self = .assignment(try Assignment(from: decoder))
        case .checkpointBegin: self = .checkpointBegin(try CheckpointHeader(from: decoder))
        case .checkpointEnd: self = .checkpointEnd(try CheckpointTrailer(from: decoder))
        case .heartbeat: self = .heartbeat
        case .halt: self = .halt(try HaltRequest(from: decoder))
        case .pause: self = .pause(try HaltRequest(from: decoder))
        case .redeal: self = .redeal(try DealChange(from: decoder))
        case .stop: self = .stop(try StopRequest(from: decoder))
        case .end: self = .end
        case .abort: self = .abort(try FailureReport(from: decoder))
        case .status: self = .status(try StatusReport(from: decoder))
        }
    }

    package func encode(to encoder: any Encoder) throws {
        try encodeTagged(to: encoder)
    }

    /// The message as the payload of a control frame.
    package func encoded() throws(ControlMessageError) -> [UInt8] {
        try encodedTagged()
    }

    /// Reads the payload of a control frame; any bytes give a message or an error.
    package init(decoding bytes: [UInt8]) throws(ControlMessageError) {
        try self.init(decodingTagged: bytes)
    }

    /// The message's type as it stands on the wire, for error messages.
    package var name: String { tag.rawValue }
}
