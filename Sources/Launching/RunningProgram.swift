import Foundation

/// The program whose processes a run consists of: `rondo`, or a program of the library's user.
package struct RunningProgram: Sendable {
    /// The first argument of its processes' command lines.
    package let name: String
    package let executable: String
    /// What its child processes find in their environment.
    package let environment: [String: String]

    /// The program of this process.
    package init(name: String, environment: [String: String] = [:]) {
        self.name = name
        let link = "/proc/self/exe"
        executable =
            (try? FileManager.default.destinationOfSymbolicLink(atPath: link)) ?? link
        // A trap's one line, "Fatal error: ...", should be the end of a log, and a signal should
        // kill. Swift's own crash handler writes pages of registers and survives some signals.
        let chosen = ProcessInfo.processInfo.environment["SWIFT_BACKTRACE"]
        self.environment = environment.merging(["SWIFT_BACKTRACE": chosen ?? "enable=no"]) { $1 }
    }
}
