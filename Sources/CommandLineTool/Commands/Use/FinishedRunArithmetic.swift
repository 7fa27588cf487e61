import RunProcesses
import Training

/// Gives this process the arithmetic that a finished run was computed with.
enum FinishedRunArithmetic {
    /// - Throws: `ConfigurationError` when the folder holds no run.
    static func ensure(_ folder: String) throws {
        let configuration = try FinishedRun.configuration(folder)
        try ProcessArithmetic.ensure(
            level: ProcessArithmetic.wanted, threads: configuration.threads)
    }
}
