import Glibc

/// Ends the program with a message unless the condition holds: for what a caller may get wrong.
///
/// Unlike `precondition`, which is silent in an optimised build, it prints the message in every
/// build, so put both values into it. The message is only made when it is needed.
@inlinable @inline(__always) package func require(
    _ condition: Bool, _ message: @autoclosure () -> String, file: StaticString = #file,
    line: UInt = #line
) {
    if !condition { endProgram(message(), file: file, line: line) }
}

/// Prints the message and traps.
@usableFromInline @inline(never) package func endProgram(
    _ message: String, file: StaticString = #file, line: UInt = #line
) -> Never {
    let text = Array("Rondo: \(message)\n".utf8)
    _ = write(STDERR_FILENO, text, text.count)
    preconditionFailure(message, file: file, line: line)
}
