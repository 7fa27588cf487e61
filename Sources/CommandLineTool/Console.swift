// The only place that writes to the standard streams: results go to standard output, everything
// else to standard error. Writes go straight to the descriptors, so that nothing is lost in a
// buffer when a process ends at once, and lines of several processes do not mix.

import Glibc

/// The process' standard streams.
enum Console {
    /// A result.
    static func output(_ text: String) { write(text + "\n", to: 1) }

    /// A failure, in one line.
    static func error(_ message: String) {
        let line = message.split(whereSeparator: \.isNewline).joined(separator: " ")
        write("rondo: error: \(line)\n", to: 2)
    }

    /// Text for the person watching, with a line end added.
    static func errorText(_ text: String) { write(text + "\n", to: 2) }

    /// Text for the person watching, as it is.
    static func progress(_ text: String) { write(text, to: 2) }

    static var isErrorATerminal: Bool { isatty(2) == 1 }

    /// Columns of the terminal at standard error.
    static var width: Int {
        var size = winsize()
        guard ioctl(2, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 0 else { return 80 }
        return Int(size.ws_col)
    }

    static func write(_ text: String, to descriptor: Int32) {
        var rest = Array(text.utf8)[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
            // There is nobody left to tell that standard error is gone.
            guard count > 0 || errno == EINTR else { return }
            if count > 0 { rest = rest.dropFirst(count) }
        }
    }
}
