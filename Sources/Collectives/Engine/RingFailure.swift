// What went wrong on a link, before it is known which ranks the neighbours are, and how a frame
// that belongs to something else is described.

import Transport
import WireFormat

/// A failure before it is known which ranks the neighbours are.
struct RingFailure: Error {
    enum Side { case previous, next, none }
    let cause: CollectiveError.Cause
    let side: Side

    init(_ cause: CollectiveError.Cause, _ side: Side) {
        self.cause = cause
        self.side = side
    }
}

/// Runs an operation on a link; its failure is that side's.
@inline(__always)
func onLink<Value>(
    _ side: RingFailure.Side, _ body: () throws(TransportError) -> Value
) throws(RingFailure) -> Value {
    do {
        return try body()
    } catch {
        throw RingFailure(.transport(error), side)
    }
}

extension FrameHeader {
    /// The first field that differs, in the order in which a difference explains the later ones.
    func firstDifference(from expected: FrameHeader) -> CollectiveError.Cause {
        let fields: [(String, KeyPath<FrameHeader, UInt64>)] = [
            ("generation", \.generation.wide), ("step", \.step), ("phase", \.phase.rawValue.wide),
            ("bucket", \.bucket.wide), ("hop", \.hop.wide), ("chunk", \.chunk.wide),
            ("segment", \.segment.wide), ("payload bytes", \.payloadByteCount.wide),
        ]
        for (name, field) in fields where self[keyPath: field] != expected[keyPath: field] {
            return .unexpectedFrame(
                field: name, expected: expected[keyPath: field], got: self[keyPath: field])
        }
        preconditionFailure("the headers are equal")
    }
}

extension FixedWidthInteger {
    fileprivate var wide: UInt64 { UInt64(self) }
}
