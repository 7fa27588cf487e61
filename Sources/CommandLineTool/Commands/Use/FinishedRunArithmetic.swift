import Learning
import Training

/// Gives this process the arithmetic that a finished run was computed with.
enum FinishedRunArithmetic {
    static func ensure(_ run: FinishedRun) throws {
        try ProcessArithmetic.ensure(
            level: ProcessArithmetic.wanted, threads: run.configuration.threads)
    }
}
