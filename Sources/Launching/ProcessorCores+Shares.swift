// Which of the machine's cores a worker computes on. Linux tends to move two processes that wake
// each other to one core, where they then wait for each other: an all-reduce of 1 MB between two
// workers took three times as long as with a core for each. So workers that together fill the
// machine get cores of their own. Fewer workers are left to the scheduler, because another run may
// use those cores.

import CTransport
import Transport

extension ProcessorCores {
    /// The cores of each of `workers` workers; nil leaves them to the scheduler.
    package static func shares(
        workers: Int, threads: Int, available: [Int] = available
    ) -> [[Int]]? {
        guard workers > 1, threads > 0, workers * threads == available.count else { return nil }
        return (0..<workers).map { Array(available[$0 * threads..<($0 + 1) * threads]) }
    }

    /// Runs `body` on some cores alone; a process that it starts stays on them.
    static func on<Result>(_ cores: [Int]?, _ body: () -> Result) -> Result {
        guard let cores else { return body() }
        var before = rondo_core_set()
        var set = rondo_core_set()
        withUnsafeMutableBytes(of: &set) { bytes in
            for core in cores where core < bytes.count * 8 {
                bytes[core / 8] |= 1 << UInt8(core % 8)
            }
        }
        // This binds only this thread. If it is not allowed, the scheduler decides; results stay
        // the same.
        guard rondo_get_cores(&before) == 0, rondo_set_cores(&set) == 0
        else { return body() }
        defer { rondo_set_cores(&before) }
        return body()
    }
}
