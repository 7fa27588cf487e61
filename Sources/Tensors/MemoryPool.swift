import CKernels
import Glibc
import Synchronization

// A caching allocator for tensor memory.
//
// Fresh memory costs 0.6 ms per MB here (page faults in a virtual machine), more than most loops
// that run over it, and a training step asks for the same sizes every time. Freed blocks therefore
// stay in a list per size class and are handed out again; after the first steps nothing is asked of
// the system. Classes are eighths between powers of two, so a block wastes at most an eighth.

/// A snapshot of what the pool has asked of the system.
public struct MemoryPoolStatistics: Sendable, Equatable {
    /// Blocks that were asked of the system since the start.
    public var systemAllocationCount = 0
    /// Bytes held from the system, in use or cached.
    public var heldByteCount = 0
    /// Bytes in use now.
    public var usedByteCount = 0
}

/// The process-wide pool; every operation may be called from any thread.
public enum MemoryPool {
    private struct State: ~Copyable {
        /// Addresses of free blocks by size class.
        var free: [Int: [UInt]] = [:]
        var statistics = MemoryPoolStatistics()
    }

    private static let state = Mutex(State())

    /// Makes the system's allocator return large blocks at once, process-wide. Tensors are cached here; what
    /// else is large (a checkpoint on its way) is rare and should not stay resident.
    public static func returnLargeSystemBlocks() { rondo_return_large_blocks(1 << 20) }

    /// Cache lines, which are also the width of an AVX-512 vector.
    private static let alignment = 64
    /// From this size on blocks lie on huge-page borders: 0.14 ms instead of 0.6 ms per fresh MB.
    private static let hugePageThreshold = 4 << 20
    private static let hugePageByteCount = 2 << 20

    /// What the pool holds now.
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
        let cached = state.withLock { state -> UInt? in
            state.statistics.usedByteCount += size
            return state.free[size]?.popLast()
        }
        if let cached, let block = UnsafeMutableRawPointer(bitPattern: cached) { return block }
        let isLarge = size >= hugePageThreshold
        var block: UnsafeMutableRawPointer?
        let code = posix_memalign(&block, isLarge ? hugePageByteCount : alignment, size)
        guard code == 0, let block else {
            preconditionFailure("no memory: \(size) bytes, \(String(cString: strerror(code)))")
        }
        // Advice only: without huge pages the memory works as well, more slowly.
        if isLarge { _ = madvise(block, size, MADV_HUGEPAGE) }
        state.withLock { state in
            state.statistics.systemAllocationCount += 1
            state.statistics.heldByteCount += size
        }
        return block
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
    // Who may write: the holder of the only reference, or of a tensor whose sharing is documented (flat
    // parameter buffers, written between steps only).
    let base: UnsafeMutablePointer<Float>
    let capacity: Int

    init(capacity: Int) {
        self.capacity = capacity
        base = MemoryPool.allocate(byteCount: capacity * MemoryLayout<Float>.stride)
            .assumingMemoryBound(to: Float.self)
    }

    deinit { MemoryPool.release(base, byteCount: capacity * MemoryLayout<Float>.stride) }
}
