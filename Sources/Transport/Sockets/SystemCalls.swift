// The one place where errno is read and EINTR is retried. Every system call of this target goes
// through `systemCall`; "would block" is a value there, because for a non-blocking socket it is the
// normal case and not an error.

import Glibc

/// The outcome of one system call.
enum SystemCallResult {
    case success(Int)
    case wouldBlock
    case failure(errno: Int32)
}

/// Runs `body`, again when a signal interrupted it, and captures errno at once.
@inline(__always)
func systemCall(_ body: () -> Int) -> SystemCallResult {
    while true {
        let result = body()
        if result >= 0 { return .success(result) }
        let code = errno
        switch code {
        case EINTR: continue
        case EAGAIN: return .wouldBlock
        default: return .failure(errno: code)
        }
    }
}

/// Runs a call that cannot block; errno and the operation's name go into the error.
@discardableResult
func checkedCall(
    _ operation: TransportError.Operation, _ address: SocketAddress? = nil, _ body: () -> Int32
) throws(TransportError) -> Int32 {
    switch systemCall({ Int(body()) }) {
    case .success(let value): return Int32(value)
    case .wouldBlock: throw .system(operation, address, errno: EAGAIN)
    case .failure(let code): throw .system(operation, address, errno: code)
    }
}

/// Makes a descriptor non-blocking and closed on exec.
func setDescriptorFlags(
    _ descriptor: Int32, _ operation: TransportError.Operation
) throws(TransportError) {
    let flags = try checkedCall(operation) { fcntl(descriptor, F_GETFL) }
    try checkedCall(operation) { fcntl(descriptor, F_SETFL, flags | O_NONBLOCK) }
    try checkedCall(operation) { fcntl(descriptor, F_SETFD, FD_CLOEXEC) }
}

/// Opens a TCP socket of the address's family, non-blocking and closed on exec from birth.
func openSocket(
    for address: SocketAddress, _ operation: TransportError.Operation
) throws(TransportError) -> Int32 {
    let kind =
        Int32(SOCK_STREAM.rawValue) | Int32(SOCK_NONBLOCK.rawValue) | Int32(SOCK_CLOEXEC.rawValue)
    return try checkedCall(operation, address) { socket(address.family, kind, 0) }
}

/// Sets an integer socket option.
func setOption(
    _ descriptor: Int32, _ level: Int32, _ name: Int32, _ value: Int32,
    _ operation: TransportError.Operation
) throws(TransportError) {
    var value = value
    try checkedCall(operation) {
        setsockopt(descriptor, level, name, &value, socklen_t(MemoryLayout<Int32>.size))
    }
}
