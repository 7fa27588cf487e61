// Rings for tests: every rank is a thread, the links are TCP over loopback with ports from the
// system, or shared memory. A rank that fails hands its error out instead of ending the test, so
// that a test can say what each rank must see.

import Dispatch
import Foundation
import Synchronization
import TestSupport
import Testing
import Transport
import WireFormat

import Collectives

/// Float addition as a plain loop.
let plainAdd: AddFunction = { destination, first, second, count in
    for index in 0..<count { destination[index] = first[index] + second[index] }
}

/// What the links of a test's ring go through.
let transports: [LinkTransport] = [.tcp, .shm]

/// Builds a ring for `deal` through RingConnector and runs `body` on every rank. Unless asked for,
/// short buffers are not exchanged whole: the ring is what most tests are about.
func onRing<Value>(
    _ deal: ReplicaDeal, generation: UInt32 = 0,
    segmentByteCount: Int = ProcessGroup.defaultSegmentByteCount, exchangeByteCount: Int = 0,
    timeout: Duration = .seconds(20), transport: LinkTransport,
    _ body: @escaping @Sendable (ProcessGroup) throws -> Value
) throws -> [Result<Value, any Error>] {
    let listeners = try (0..<deal.worldSize).map { _ in try Listener(.parse("127.0.0.1:0")) }
    let addresses = listeners.map(\.localAddress)
    return onThreads(deal.worldSize) { rank in
        let group = try RingConnector.connect(
            rank: rank, generation: generation, token: "test", deal: deal, addresses: addresses,
            listener: listeners[rank], timeout: timeout, deadline: .after(.seconds(20)),
            segmentByteCount: segmentByteCount, exchangeByteCount: exchangeByteCount,
            transport: transport, add: plainAdd)
        defer { group.close() }
        return try body(group)
    }
}

/// A small seeded generator (SplitMix64), so that a failure repeats from its printed seed.
struct SeededGenerator: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var value = state
        value = (value ^ (value >> 30)) &* 0xBF58_476D_1CE4_E5B9
        value = (value ^ (value >> 27)) &* 0x94D0_49BB_1331_11EB
        return value ^ (value >> 31)
    }
}

/// A replica's buffer: random floats of mixed size, or small whole numbers whose sums are exact.
func replicaBuffer(_ replica: Int, elementCount: Int, seed: UInt64, wholeNumbers: Bool) -> [Float] {
    var generator = SeededGenerator(seed: seed &* 1_000_003 &+ UInt64(replica))
    return (0..<elementCount).map { _ in
        let bits = generator.next()
        let whole = Float(Int(bits % 2001) - 1000)
        return wholeNumbers ? whole : whole * Float(1 + (bits >> 32) % 97) / 1013
    }
}

/// The sum as the definition has it: chunk c of R is summed in replica order c+1, ..., R-1, 0, ...,
/// c.
func sequentialSum(_ replicas: [[Float]]) -> [Float] {
    let elementCount = replicas[0].count
    var sum = [Float](repeating: 0, count: elementCount)
    for chunk in replicas.indices {
        let order = (1...replicas.count).map { (chunk + $0) % replicas.count }
        // Written out on its own and not with RingPlan's function, which is under test.
        let share = elementCount / replicas.count
        let remainder = elementCount % replicas.count
        let first = chunk * share + min(chunk, remainder)
        for index in first..<first + share + (chunk < remainder ? 1 : 0) {
            var value = replicas[order[0]][index]
            for replica in order.dropFirst() { value += replicas[replica][index] }
            sum[index] = value
        }
    }
    return sum
}

extension ProcessGroup {
    /// All-reduces copies of this rank's part of `replicas` and returns the output.
    ///
    /// - Throws: also when an input was changed although the call was not in place.
    func reduced(
        _ replicas: [[Float]], step: UInt64, bucket: UInt32 = 0, inPlace: Bool
    ) throws -> [Float] {
        let elementCount = replicas[0].count
        let own = deal.ranges[rank]
        let inputs = own.map { replica in
            let buffer = UnsafeMutableBufferPointer<Float>.allocate(capacity: elementCount + 1)
            _ = buffer.initialize(from: replicas[replica] + [-1])
            return buffer
        }
        let separate = UnsafeMutableBufferPointer<Float>.allocate(capacity: elementCount + 1)
        separate.initialize(repeating: .nan)
        defer {
            for buffer in inputs + [separate] { buffer.deallocate() }
        }
        let pointers = inputs.compactMap { $0.baseAddress.map { UnsafePointer($0) } }
        let target = inPlace ? inputs[0] : separate
        let output = try #require(target.baseAddress)
        target[elementCount] = 77
        try allReduce(
            step: step, bucket: bucket, inputs: pointers, output: output,
            elementCount: elementCount)
        #expect(target[elementCount] == 77, "written past the end")
        for (replica, buffer) in zip(own, inputs) where !(inPlace && replica == own.lowerBound) {
            #expect(Array(buffer.dropLast()) == replicas[replica], "input \(replica) was changed")
        }
        return Array(target.dropLast())
    }
}

func bits(_ values: [Float]) -> [UInt32] { values.map(\.bitPattern) }
