// What one call of a collective works on: memory, block borders and the stamp that its frames carry.

import WireFormat

/// Adds `count` floats: `destination[i] += source[i]`. Must give the same bits on every host.
package typealias AddFunction =
    @Sendable (
        _ destination: UnsafeMutablePointer<Float>, _ source: UnsafePointer<Float>, _ count: Int
    ) -> Void

/// The arguments of one collective.
struct RingCall {
    var operation: CollectiveError.Operation
    var step: UInt64 = 0
    var bucket: UInt32 = 0
    /// One pointer per local replica, ascending; empty except for an all-reduce.
    var inputs: [UnsafePointer<Float>] = []
    /// Where the result goes. Nil only when there is no byte to store.
    var output: UnsafeMutableRawPointer?
    /// Byte offsets of the blocks (chunks) in the output, and the end: one more than blocks.
    var borders: [Int] = []
    /// A barrier's frames have no payload and are sent all the same; elsewhere empty blocks are
    /// skipped by both ends.
    var sendsEmptyBlocks: Bool { operation == .barrier }
    /// Whether the output is also the first input.
    var isInPlace = false

    @inline(__always)
    func byteCount(ofBlock block: Int) -> Int { borders[block + 1] - borders[block] }
}

/// Sums replicas in ascending order into `destination`, which must not be one of the inputs.
///
/// - Parameters:
///   - replicas: which of `inputs`; not empty.
///   - offset: bytes from the start of each input.
///   - byteCount: a multiple of a float's size.
@inline(__always)
func sumReplicas(
    _ inputs: [UnsafePointer<Float>], _ replicas: Range<Int>, offset: Int, byteCount: Int,
    into destination: UnsafeMutableRawPointer, add: AddFunction
) {
    let first = UnsafeRawPointer(inputs[replicas.lowerBound]) + offset
    destination.copyMemory(from: first, byteCount: byteCount)
    addReplicas(
        inputs, replicas.lowerBound + 1..<replicas.upperBound, offset: offset, byteCount: byteCount,
        to: destination, add: add)
}

/// Adds replicas in ascending order to `destination`.
@inline(__always)
func addReplicas(
    _ inputs: [UnsafePointer<Float>], _ replicas: Range<Int>, offset: Int, byteCount: Int,
    to destination: UnsafeMutableRawPointer, add: AddFunction
) {
    let count = byteCount / MemoryLayout<Float>.size
    let sums = destination.assumingMemoryBound(to: Float.self)
    for replica in replicas {
        add(sums, inputs[replica] + offset / MemoryLayout<Float>.size, count)
    }
}
