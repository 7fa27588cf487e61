import ExitCodes
import Foundation
import Glibc
import Kernels

/// A process that cannot run the arithmetic it should.
package struct ArithmeticUnavailable: ExitCoded, Equatable, CustomStringConvertible {
    package let description: String
    package var exitCode: ExitCode { .failed }

    package init(_ description: String) { self.description = description }
}

/// Sees to it that this process runs the arithmetic that the run wants. OpenBLAS reads its settings
/// when it is loaded, before `main`: other settings need a new start of the same program.
package enum ProcessArithmetic {
    /// Tells a process that was started for a level what it may be started anew for.
    private static let highestVariable = "RONDO_HIGHEST_ARITHMETIC"

    /// The level that this process was started for, else the one that is fastest on the processor.
    package static var wanted: String {
        level(in: "OPENBLAS_CORETYPE") ?? Arithmetic.fastestLevel
    }

    /// The most that this process may be asked to run: what the user has chosen, else what the
    /// processor can.
    package static var highest: String {
        level(in: highestVariable) ?? level(in: "OPENBLAS_CORETYPE") ?? Arithmetic.highestLevel
    }

    private static func level(in variable: String) -> String? {
        ProcessInfo.processInfo.environment[variable]
            .flatMap { Arithmetic.levels.contains($0) ? $0 : nil }
    }

    /// Variables for a child process that shall compute.
    package static func environment(threads: Int) -> [String: String] {
        Arithmetic.environment(level: wanted, threads: threads)
            .merging([highestVariable: highest]) { $1 }
    }

    /// Returns if the process runs that level already; else starts it anew and does not return.
    package static func ensure(level: String, threads: Int?) throws(ArithmeticUnavailable) {
        let count = threads ?? Arithmetic.threadCountInEnvironment ?? 1
        guard !Arithmetic.isInEffect(level: level, threads: count) else {
            guard Arithmetic.takeProductMemory() else {
                throw ArithmeticUnavailable(
                    "this process may not take the 128 MB of memory that OpenBLAS needs;"
                        + " raise its limit ('ulimit -v')")
            }
            return
        }
        try restart(level: level, threads: count)
    }

    /// Starts this program anew, same process and arguments, with other settings.
    package static func restart(level: String, threads: Int?) throws(ArithmeticUnavailable) {
        let marker = "RONDO_STARTED_FOR"
        let count = threads ?? Arithmetic.threadCountInEnvironment ?? 1
        let purpose = "\(level)/\(count)"
        guard ProcessInfo.processInfo.environment[marker] != purpose else {
            throw ArithmeticUnavailable(
                "this program was started anew for \(level) arithmetic, but OpenBLAS runs"
                    + " \(Arithmetic.loadedCoreType)")
        }
        setenv(marker, purpose, 1)
        setenv(highestVariable, highest, 1)
        for (name, value) in Arithmetic.environment(level: level, threads: count) {
            setenv(name, value, 1)
        }
        var arguments: [UnsafeMutablePointer<CChar>?] = CommandLine.arguments.map { strdup($0) }
        arguments.append(nil)
        execv("/proc/self/exe", &arguments)
        let reason = String(cString: strerror(errno))
        throw ArithmeticUnavailable("cannot start this program anew: \(reason)")
    }

    /// The most memory that this process has had resident.
    package static var peakResidentByteCount: Int {
        var usage = rusage()
        guard getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage) == 0 else { return 0 }
        return Int(usage.ru_maxrss) * 1024
    }
}
