// Why a collective did not happen, as data: who noticed, in which call, which neighbour it concerns
// and what that neighbour did. After any of these the group is dead: bytes of a half-finished call
// may be under way on the links, so nothing about them may be assumed.

import ExitCodes
import Transport
import WireFormat

/// A collective that failed, and with it its group.
package struct CollectiveError: ExitCoded, Equatable, Sendable {
    package enum Operation: String, Sendable {
        case connect = "joining the ring"
        case allReduce = "all-reduce"
        case allGather = "all-gather"
        case broadcast = "broadcast"
        case barrier = "barrier"
    }

    package enum Cause: Equatable, Sendable {
        /// No byte moved for the group's timeout.
        case stalled(timeout: Duration)
        /// The neighbour closed its link or its process ended.
        case closed
        /// The frame is well-formed but belongs to something else.
        case unexpectedFrame(field: String, expected: UInt64, got: UInt64)
        /// Bytes that are no frame.
        case malformedFrame(WireFormatError)
        /// What a call has brought makes no sense; the text says why.
        case senselessPayload(String)
        /// The kernel reported an error for the link.
        case transport(TransportError)
        /// The ring did not stand before the deadline; the text says what was missing.
        case notConnected(String)
        /// The ring is to go through shared memory alone, and two workers cannot share any; the
        /// text says why.
        case notShared(String)
        /// `shutdown()` was called.
        case shutDown
    }

    package let operation: Operation
    package let cause: Cause
    /// The rank that reports.
    package let rank: Int
    /// The neighbour it concerns, if it concerns one.
    package let neighbour: Int?
    package let generation: UInt32
    package let step: UInt64
    package let bucket: UInt32

    package init(
        operation: Operation, cause: Cause, rank: Int, neighbour: Int?, generation: UInt32,
        step: UInt64, bucket: UInt32
    ) {
        self.operation = operation
        self.cause = cause
        self.rank = rank
        self.neighbour = neighbour
        self.generation = generation
        self.step = step
        self.bucket = bucket
    }

    /// A usage error if the wanted transport is impossible; otherwise the peers are lost.
    package var exitCode: ExitCode {
        if case .notShared = cause { .usage } else { .peersLost }
    }
}

extension CollectiveError: CustomStringConvertible {
    package var description: String {
        switch operation {
        case .connect:
            "rank \(rank), \(operation.rawValue) (generation \(generation)): \(reason)"
        case .allReduce:
            "rank \(rank), \(operation.rawValue) of step \(step), bucket \(bucket) "
                + "(generation \(generation)): \(reason)"
        case .allGather, .broadcast, .barrier:
            "rank \(rank), \(operation.rawValue) of step \(step) "
                + "(generation \(generation)): \(reason)"
        }
    }

    private var peer: String {
        neighbour.map { "rank \($0)" } ?? "the neighbour"
    }

    private var reason: String {
        switch cause {
        case .stalled(let timeout):
            "nothing moved for \(timeout.formattedSeconds) s while waiting for \(peer); "
                + "is that process stopped or its host cut off?"
        case .closed:
            "\(peer) closed its link; see that worker's log for the reason"
        case .unexpectedFrame(let field, let expected, let got):
            "\(peer) sent a frame with \(field) \(got), expected \(expected); "
                + "the two workers do not agree on what comes next"
        case .malformedFrame(let error):
            "\(peer) sent bytes that are no frame: \(error)"
        case .senselessPayload(let problem):
            "a worker sent \(problem)"
        case .transport(let error):
            "the link with \(peer) failed: \(error)"
        case .notConnected(let missing):
            missing
        case .notShared(let why):
            "the two workers cannot share memory, which the transport \"shm\" demands (\(why)); "
                + "\"auto\" goes over TCP then"
        case .shutDown:
            "the group was shut down"
        }
    }
}

extension Duration {
    /// Seconds with one decimal, for messages.
    var formattedSeconds: String {
        let (seconds, attoseconds) = components
        return "\(seconds).\(attoseconds / 100_000_000_000_000_000)"
    }
}
