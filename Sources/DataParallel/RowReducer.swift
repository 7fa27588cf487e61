import Autodiff
import CKernels
import Collectives
import Kernels
import Tensors

// The gradients of sparse tables are not reduced in buckets: every worker gets the rows of all
// replicas and adds them up itself, replica after replica, so that the deal does not decide about
// the bits.
//
//   counts   | rows of each table, of replica 0 | ... | of replica R-1 |                   always
//   rows     | row numbers, gradients of table 0 | table 1 | ... of replica 0 | 1 | ...    if any
//
// Rows travel in Float32 whatever format the buckets have. All replicas' rows together may be more
// than fits into memory; they are gathered in parts of some replicas each then.

/// Sums the rows of sparse tables over the replicas of a ring. Used by one thread.
package struct RowReducer {
    /// Bytes of rows up to which the rows of several replicas are gathered at once.
    package static let defaultPartByteCount = 64 << 20

    private let group: ProcessGroup
    private let step: UInt64
    private let partByteCount: Int

    init(group: ProcessGroup, step: UInt64, partByteCount: Int) {
        self.group = group
        self.step = step
        self.partByteCount = partByteCount
    }

    // MARK: - Sums

    /// Adds up the rows of all replicas.
    ///
    /// - Parameters:
    ///   - sums: one for each table, overwritten; undefined after an error.
    ///   - own: the rows of a local replica, by table.
    func reduce(
        into sums: [RowGradients], own: (_ replica: Int) -> [RowGradients]
    ) throws(CollectiveError) {
        for sum in sums { sum.removeAll() }
        let replicas = group.deal.ranges[group.rank]
        guard group.worldSize > 1 else {
            for replica in replicas { Self.add(own(replica), to: sums) }
            return
        }
        let counts = try gatherCounts(of: sums, own)
        func wordCount(_ replica: Int) -> Int { Self.wordCount(counts[replica], sums) }
        var first = 0
        while first < counts.count {
            var end = first + 1
            var total = wordCount(first)
            while end < counts.count,
                (total + wordCount(end)) * MemoryLayout<Float>.stride <= partByteCount
            {
                total += wordCount(end)
                end += 1
            }
            if total > 0 {
                try add(replicas: first..<end, counts: counts, to: sums, own)
            }
            first = end
        }
    }

    private static func add(_ rows: [RowGradients], to sums: [RowGradients]) {
        for (sum, rows) in zip(sums, rows) { sum.add(rows) }
    }

    /// How many rows of each table a replica has, by replica.
    private func gatherCounts(
        of tables: [RowGradients], _ own: (_ replica: Int) -> [RowGradients]
    ) throws(CollectiveError) -> [[Int]] {
        let stride = MemoryLayout<Int32>.stride
        let counts = Tensor(uninitialized: [group.deal.replicaCount * tables.count])
        let memory = UnsafeMutableRawPointer(counts.pointer).assumingMemoryBound(to: Int32.self)
        for replica in group.deal.ranges[group.rank] {
            for (table, rows) in own(replica).enumerated() {
                memory[replica * tables.count + table] = Int32(rows.rows.count)
            }
        }
        try gather(counts, byteCounts: group.deal.ranges.map { $0.count * tables.count * stride })
        for (position, table) in tables.enumerated() {
            for replica in 0..<group.deal.replicaCount {
                let count = Int(memory[replica * tables.count + position])
                guard (0...table.rowCount).contains(count) else {
                    throw group.refuse(
                        .allGather, step: step,
                        "\(count) rows of a table that has \(table.rowCount)")
                }
            }
        }
        return (0..<group.deal.replicaCount).map { replica in
            tables.indices.map { Int(memory[replica * tables.count + $0]) }
        }
    }

    /// Adds the rows of some replicas that follow one another.
    private func add(
        replicas: Range<Int>, counts: [[Int]], to sums: [RowGradients],
        _ own: (_ replica: Int) -> [RowGradients]
    ) throws(CollectiveError) {
        var starts: [Int] = []
        var end = 0
        for replica in replicas {
            starts.append(end)
            end += Self.wordCount(counts[replica], sums)
        }
        let words = Tensor(uninitialized: [end])
        let local = group.deal.ranges[group.rank].clamped(to: replicas)
        for replica in local {
            Self.write(own(replica), to: words.pointer + starts[replica - replicas.lowerBound])
        }
        let byteCounts = group.deal.ranges.map { range in
            range.clamped(to: replicas).reduce(0) { $0 + Self.wordCount(counts[$1], sums) }
                * MemoryLayout<Float>.stride
        }
        try gather(words, byteCounts: byteCounts)
        for replica in replicas {
            if local.contains(replica) {
                Self.add(own(replica), to: sums)
                continue
            }
            let start = words.pointer + starts[replica - replicas.lowerBound]
            if !Self.read(start, counts: counts[replica], into: sums) {
                throw group.refuse(
                    .allGather, step: step, "rows of replica \(replica) that no table has")
            }
        }
    }

    /// Gathers memory in which this worker's part lies in its place already.
    private func gather(_ words: Tensor, byteCounts: [Int]) throws(CollectiveError) {
        let output = UnsafeMutableRawBufferPointer(
            start: words.pointer, count: words.count * MemoryLayout<Float>.stride)
        let start = byteCounts[..<group.rank].reduce(0, +)
        try group.allGather(
            step: step,
            contribution: UnsafeRawBufferPointer(
                rebasing: output[start..<start + byteCounts[group.rank]]),
            byteCounts: byteCounts, output: output)
    }

    // MARK: - A committed sum

    /// Gives every worker the root's rows of a step that is over.
    ///
    /// - Parameter rows: the root's are sent; the others' only tell the tables.
    /// - Returns: what the root has sent.
    func broadcast(_ rows: [RowGradients], root: Int) throws(CollectiveError) -> [RowGradients] {
        guard !rows.isEmpty, group.worldSize > 1 else { return rows }
        let header = Tensor(uninitialized: [rows.count])
        let memory = UnsafeMutableRawPointer(header.pointer).assumingMemoryBound(to: Int32.self)
        for (table, rows) in rows.enumerated() { memory[table] = Int32(rows.rows.count) }
        try broadcast(header, root: root)
        let counts = rows.indices.map { Int(memory[$0]) }
        guard zip(counts, rows).allSatisfy({ (0...$1.rowCount).contains($0) }) else {
            throw group.refuse(.broadcast, step: step, "\(counts) rows, more than tables have")
        }
        let words = Tensor(uninitialized: [Self.wordCount(counts, rows)])
        if group.rank == root { Self.write(rows, to: words.pointer) }
        try broadcast(words, root: root)
        // What is here stays whole until the root's has come.
        let received = rows.map { RowGradients(rowCount: $0.rowCount, width: $0.width) }
        guard Self.read(words.pointer, counts: counts, into: received) else {
            throw group.refuse(.broadcast, step: step, "rows that no table has")
        }
        return received
    }

    private func broadcast(_ words: Tensor, root: Int) throws(CollectiveError) {
        try group.broadcast(
            step: step, root: root,
            buffer: UnsafeMutableRawBufferPointer(
                start: words.pointer, count: words.count * MemoryLayout<Float>.stride))
    }

    // MARK: - Memory

    /// Words of four bytes that so many rows of each table take.
    private static func wordCount(_ counts: [Int], _ tables: [RowGradients]) -> Int {
        zip(counts, tables).reduce(0) { $0 + $1.0 * (1 + $1.1.width) }
    }

    private static func write(_ rows: [RowGradients], to memory: UnsafeMutablePointer<Float>) {
        var end = UnsafeMutableRawPointer(memory)
        for table in rows {
            table.rows.withUnsafeBytes { bytes in
                if let start = bytes.baseAddress {
                    end.copyMemory(from: start, byteCount: bytes.count)
                }
                end += bytes.count
            }
            table.values.withUnsafeBytes { bytes in
                if let start = bytes.baseAddress {
                    end.copyMemory(from: start, byteCount: bytes.count)
                }
                end += bytes.count
            }
        }
    }

    /// Adds what `write` has written.
    /// - Returns: whether all row numbers are those of rows.
    private static func read(
        _ memory: UnsafePointer<Float>, counts: [Int], into sums: [RowGradients]
    ) -> Bool {
        var start = memory
        for (count, sum) in zip(counts, sums) {
            let rows = UnsafeBufferPointer(
                start: UnsafeRawPointer(start).assumingMemoryBound(to: Int32.self), count: count)
            guard rondo_indices_are_below(rows.baseAddress, count, Int32(sum.rowCount)) else {
                return false
            }
            sum.add(rows, start + count)
            start += count * (1 + sum.width)
        }
        return true
    }
}
