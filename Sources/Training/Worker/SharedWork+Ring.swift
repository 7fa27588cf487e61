import Collectives
import Learning

extension SharedWork {
    /// Does this worker's parts and gathers those of all members of a ring, in order.
    func share(in group: ProcessGroup, step: Int) throws -> [[Double]] {
        let width = valueCount
        let own = try parts(rank: group.rank, worldSize: group.worldSize).flatMap { part in
            // The others wait for this worker in the next ring.
            try group.checkIsOpen(step: UInt64(step))
            let values = try values(ofPart: part)
            precondition(values.count == width, "\(values.count) values of a part of \(width)")
            return values
        }
        let counts = (0..<group.worldSize).map {
            parts(rank: $0, worldSize: group.worldSize).count * width * MemoryLayout<Double>.stride
        }
        var all = [Double](repeating: 0, count: partCount * width)
        try own.withUnsafeBytes { contribution in
            try all.withUnsafeMutableBytes { output in
                try group.allGather(
                    step: UInt64(step), contribution: contribution, byteCounts: counts,
                    output: output)
            }
        }
        return (0..<partCount).map { Array(all[$0 * width..<($0 + 1) * width]) }
    }
}
