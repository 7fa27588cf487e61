import Foundation

/// What the system knows of a process on this host.
package enum ProcessState: Equatable {
    case running, stopped, gone
    /// It is on another host.
    case elsewhere

    package init(hostName: String, processID: Int32) {
        guard hostName == ProcessInfo.processInfo.hostName else {
            self = .elsewhere
            return
        }
        guard let bytes = FileManager.default.contents(atPath: "/proc/\(processID)/stat"),
            // The name before the state is in parentheses and may hold anything.
            let end = bytes.lastIndex(of: UInt8(ascii: ")")), end + 2 < bytes.endIndex
        else {
            self = .gone
            return
        }
        switch bytes[end + 2] {
        case UInt8(ascii: "T"), UInt8(ascii: "t"): self = .stopped
        case UInt8(ascii: "Z"), UInt8(ascii: "X"): self = .gone
        default: self = .running
        }
    }
}
