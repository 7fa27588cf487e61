import Foundation
import Launching
import Training

extension WorkerSlots {
    /// Slots whose workers on this machine run its arithmetic. A worker on another machine chooses
    /// its own, because its processor may differ, unless the user has chosen one for this process.
    package init(_ slots: [Slot], program: RunningProgram, threads: Int) {
        var elsewhere = program.environment
        elsewhere["OPENBLAS_NUM_THREADS"] = "\(threads)"
        if let chosen = ProcessInfo.processInfo.environment["OPENBLAS_CORETYPE"] {
            elsewhere["OPENBLAS_CORETYPE"] = chosen
        }
        let here = ProcessArithmetic.environment(threads: threads)
            .merging(program.environment) { $1 }
        self.init(
            slots, program: program, threads: threads,
            environment: WorkerEnvironment(here: here, elsewhere: elsewhere))
    }

    /// Slots on this machine.
    package init(local count: Int, program: RunningProgram, threads: Int) {
        self.init(Array(repeating: .local, count: count), program: program, threads: threads)
    }
}
