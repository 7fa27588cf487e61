// Additions of replicas that lie in this worker's memory. They go segment by segment, so that a sum
// stays in the cache while replica after replica is added to it.

/// Adds `count` floats: `destination[i] = first[i] + second[i]`, where the destination may be one
/// of the two. Must give the same bits on every host.
package typealias AddFunction =
    @Sendable (
        _ destination: UnsafeMutablePointer<Float>, _ first: UnsafePointer<Float>,
        _ second: UnsafePointer<Float>, _ count: Int
    ) -> Void

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
    guard replicas.count > 1 else {
        destination.copyMemory(from: first, byteCount: byteCount)
        return
    }
    sumReplicas(
        startingFrom: first, inputs, replicas.dropFirst(), offset: offset, byteCount: byteCount,
        into: destination, add: add)
}

/// Adds replicas in ascending order to `start` and puts the sum into `destination`, which may be
/// `start`.
///
/// - Parameters:
///   - start: the floats at `offset`.
///   - replicas: not empty.
@inline(__always)
func sumReplicas(
    startingFrom start: UnsafeRawPointer, _ inputs: [UnsafePointer<Float>], _ replicas: Range<Int>,
    offset: Int, byteCount: Int, into destination: UnsafeMutableRawPointer, add: AddFunction
) {
    let floatByteCount = MemoryLayout<Float>.size
    add(
        destination.assumingMemoryBound(to: Float.self), start.assumingMemoryBound(to: Float.self),
        inputs[replicas.lowerBound] + offset / floatByteCount, byteCount / floatByteCount)
    addReplicas(
        inputs, replicas.dropFirst(), offset: offset, byteCount: byteCount, to: destination,
        add: add)
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
        add(sums, sums, inputs[replica] + offset / MemoryLayout<Float>.size, count)
    }
}

/// The whole all-reduce of replicas that are all here, with the ring's additions in the ring's
/// order: chunk c is c+1, ..., R-1, 0, ..., c.
///
/// - Parameters:
///   - call: its inputs are all R replicas.
///   - scratch: `segmentByteCount` bytes.
func sumAll(
    _ call: RingCall, segmentByteCount: Int, scratch: UnsafeMutableRawPointer, add: AddFunction
) {
    guard let output = call.output else { return }
    let replicaCount = call.inputs.count
    for chunk in 0..<replicaCount {
        let first = (chunk + 1) % replicaCount
        var offset = call.borders[chunk]
        while offset < call.borders[chunk + 1] {
            let byteCount = min(segmentByteCount, call.borders[chunk + 1] - offset)
            sumSegment(
                call, first: first, offset: offset, byteCount: byteCount, output + offset, scratch,
                add)
            offset += byteCount
        }
    }
}

private func sumSegment(
    _ call: RingCall, first: Int, offset: Int, byteCount: Int,
    _ destination: UnsafeMutableRawPointer, _ scratch: UnsafeMutableRawPointer, _ add: AddFunction
) {
    let replicaCount = call.inputs.count
    // In place, replica 0 lies in the output: it may start a sum there, but not be met later.
    if call.isInPlace && first == 0 {
        addReplicas(
            call.inputs, 1..<replicaCount, offset: offset, byteCount: byteCount, to: destination,
            add: add)
        return
    }
    let sum = call.isInPlace ? scratch : destination
    sumReplicas(
        call.inputs, first..<replicaCount, offset: offset, byteCount: byteCount, into: sum, add: add
    )
    addReplicas(call.inputs, 0..<first, offset: offset, byteCount: byteCount, to: sum, add: add)
    if sum != destination { destination.copyMemory(from: sum, byteCount: byteCount) }
}
