// What one call of a collective works on: memory, block borders, and the step and bucket that its
// frames carry.

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
    /// Adds the elements; nil is the group's addition of floats.
    var addition: AddFunction?

    @inline(__always)
    func byteCount(ofBlock block: Int) -> Int { borders[block + 1] - borders[block] }
}
