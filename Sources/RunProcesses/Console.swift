// The only place that writes to the standard streams: results go to standard output, everything
// else to standard error. Writes go straight to the descriptors, so that nothing is lost in a
// buffer when a process ends at once, and lines of several processes do not mix.

import Glibc
import Synchronization

/// The process' standard streams.
package enum Console {
    private static let outputErrorNumber = Mutex<Int32>(0)

    /// Writes a line of the result.
    package static func output(_ text: String) { outputText(text + "\n") }

    /// Writes a part of the result without adding a line end.
    package static func outputText(_ text: String) {
        let number = write(text, to: 1)
        guard number != 0 else { return }
        outputErrorNumber.withLock { $0 = $0 == 0 ? number : $0 }
    }

    /// Whether standard output is still open: no write to it has failed.
    package static var takesOutput: Bool { outputErrorNumber.withLock { $0 == 0 } }

    /// Why a result could not be written; nil if every write succeeded.
    package static var outputFailure: String? {
        let number = outputErrorNumber.withLock { $0 }
        // A closed pager is no failure: its user has seen enough.
        guard number != 0, number != EPIPE else { return nil }
        let reason = strerror(number).map { String(cString: $0) } ?? "error \(number)"
        return "cannot write the result to standard output: \(reason)"
    }

    /// Opens closed standard streams on /dev/null. Otherwise the next file that is opened would get
    /// the stream's number and receive the text that is meant for a person.
    package static func openClosedStreams() {
        for descriptor: Int32 in 0...2 where fcntl(descriptor, F_GETFD) == -1 {
            // open() takes the lowest free number. That is this one: all below it are open by now.
            let opened = open("/dev/null", O_RDWR)
            if opened > 2 { close(opened) }
        }
    }

    /// Writes an error message in one line.
    package static func error(_ message: String) {
        let line = message.split(whereSeparator: \.isNewline).joined(separator: " ")
        write("rondo: error: \(line)\n", to: 2)
    }

    /// Writes a line for the user to standard error.
    package static func errorText(_ text: String) { write(text + "\n", to: 2) }

    /// Writes text for the user to standard error without adding a line end.
    package static func progress(_ text: String) { write(text, to: 2) }

    package static var isErrorATerminal: Bool { isatty(2) == 1 }

    /// Columns of the terminal at standard error.
    package static var width: Int {
        var size = winsize()
        guard ioctl(2, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 0 else { return 80 }
        return Int(size.ws_col)
    }

    /// Writes all of `text` and returns 0, or the number of the error that prevented it.
    @discardableResult
    package static func write(_ text: String, to descriptor: Int32) -> Int32 {
        var rest = Array(text.utf8)[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
            guard count > 0 || errno == EINTR else { return errno }
            if count > 0 { rest = rest.dropFirst(count) }
        }
        return 0
    }
}
