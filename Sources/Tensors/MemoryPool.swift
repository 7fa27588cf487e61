import CKernels
import Glibc
import Synchronization

// A caching allocator for tensor memory.
//
// Fresh memory costs 0.6 ms per MB here (page faults in a virtual machine), more than most loops
// that run over it, and a training step asks for the same sizes every time. Freed blocks therefore
// stay in a list per size class and are handed out again; after the first steps the system is not
// asked any more. Classes are eighths between powers of two, so a block wastes at most an eighth.
//
// New blocks are cut one after another from regions of address space that the kernel is asked to
// back with huge pages: a fresh MB costs 0.14 ms then, and the steps of all benchmarks take 3 to 4
// % less time, for a step's working set is larger than what the processor's table of 4 KB pages
// covers. Address space that no block has touched yet takes no memory.

/// A snapshot of what the pool has asked of the system.
public struct MemoryPoolStatistics: Sendable, Equatable {
    /// Blocks that could not be taken from freed ones, since the start.
    public var freshBlockCount = 0
    /// Bytes of all blocks, in use or cached.
    public var heldByteCount = 0
    /// Bytes in use now.
    public var usedByteCount = 0
}

/// The pool of the process. Its functions may be called from any thread.
public enum MemoryPool {
    private struct State: ~Copyable {
        /// Addresses of free blocks by size class.
        var free: [Int: [UInt]] = [:]
        /// What is left of the region from which new blocks are cut.
        var region: Range<UInt> = 0..<0
        var statistics = MemoryPoolStatistics()
    }

    private static let state = Mutex(State())

    /// Makes the system's allocator return large blocks at once, process-wide. Tensors are cached
    /// here; other large blocks (a checkpoint that is written) are rare and should not stay
    /// resident.
    public static func returnLargeSystemBlocks() { rondo_return_large_blocks(1 << 20) }

    /// Cache lines, which are also the width of an AVX-512 vector.
    private static let alignment = 64
    private static let hugePageByteCount = 2 << 20
    private static let regionByteCount = 64 << 20
    /// Larger blocks have a region of their own, so that little of a region is left unused at its
    /// end.
    private static let sharedRegionLimit = 16 << 20

    /// The pool's state now.
    public static var statistics: MemoryPoolStatistics { state.withLock { $0.statistics } }

    /// Bytes really handed out for a request of `byteCount`.
    static func sizeClass(_ byteCount: Int) -> Int {
        let wanted = max(byteCount, alignment * 8)
        let power = Int.bitWidth - 1 - (wanted - 1).leadingZeroBitCount
        let step = max(alignment, (1 << power) / 8)
        return (wanted + step - 1) / step * step
    }

    static func allocate(byteCount: Int) -> UnsafeMutableRawPointer {
        let size = sizeClass(byteCount)
        let address = state.withLock { state -> UInt in
            state.statistics.usedByteCount += size
            if let cached = state.free[size]?.popLast() { return cached }
            state.statistics.freshBlockCount += 1
            state.statistics.heldByteCount += size
            if size > sharedRegionLimit { return newRegion(byteCount: size).lowerBound }
            if state.region.count < size { state.region = newRegion(byteCount: regionByteCount) }
            let start = state.region.lowerBound
            state.region = start + UInt(size)..<state.region.upperBound
            return start
        }
        guard let block = UnsafeMutableRawPointer(bitPattern: address) else {
            preconditionFailure("a block of \(size) bytes at the address 0")
        }
        return block
    }

    /// Address space that begins at a huge page.
    private static func newRegion(byteCount: Int) -> Range<UInt> {
        let mapping = mmap(
            nil, byteCount + hugePageByteCount, PROT_READ | PROT_WRITE,
            MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0)
        guard let mapping, mapping != MAP_FAILED else {
            preconditionFailure(
                "no memory: \(byteCount) bytes, \(String(cString: strerror(errno)))")
        }
        let start = mapping.alignedUp(toMultipleOf: hugePageByteCount)
        // Advice only: without huge pages the memory works as well, more slowly.
        _ = madvise(start, byteCount, MADV_HUGEPAGE)
        return UInt(bitPattern: start)..<UInt(bitPattern: start) + UInt(byteCount)
    }

    static func release(_ block: UnsafeMutableRawPointer, byteCount: Int) {
        let size = sizeClass(byteCount)
        let address = UInt(bitPattern: block)
        state.withLock { state in
            state.statistics.usedByteCount -= size
            state.free[size, default: []].append(address)
        }
    }
}

/// One block of the pool; returned to it when the last tensor that shows it goes.
public final class Storage: @unchecked Sendable {
    // May be written by the holder of the only reference, or through a tensor whose sharing is
    // documented (flat parameter buffers, written between steps only).
    let base: UnsafeMutablePointer<Float>
    let capacity: Int

    init(capacity: Int) {
        self.capacity = capacity
        base = MemoryPool.allocate(byteCount: capacity * MemoryLayout<Float>.stride)
            .assumingMemoryBound(to: Float.self)
    }

    deinit { MemoryPool.release(base, byteCount: capacity * MemoryLayout<Float>.stride) }
}
