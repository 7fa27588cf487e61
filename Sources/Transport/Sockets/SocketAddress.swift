// The address of a socket: a numeric host and a port. Names are resolved once, at the edge
// (`resolve`); everything after that, also on the wire, is numeric, so that all workers mean the
// same machine.

import Glibc

/// An IPv4 or IPv6 address with a port; written `10.0.0.2:4000` or `[fe80::1%2]:4000`.
package struct SocketAddress: Hashable, Sendable {
    /// Numeric, without brackets.
    package let host: String
    package let port: Int
    /// AF_INET or AF_INET6.
    let family: Int32

    /// - Throws: `invalidAddress` when `host` is not numeric or `port` is not 0...65535.
    package init(host: String, port: Int) throws(TransportError) {
        let found = try Self.lookUp(host, port: port, flags: AI_NUMERICHOST, .parse)
        guard let first = found.first else {
            throw TransportError(code: .invalidAddress, operation: .parse, detail: host)
        }
        self = first
    }

    private init(host: String, port: Int, family: Int32) {
        self.host = host
        self.port = port
        self.family = family
    }

    /// Reads `HOST:PORT` or `[IPV6]:PORT` with a numeric host.
    package static func parse(_ text: String) throws(TransportError) -> SocketAddress {
        let (host, port) = try split(text)
        do {
            return try SocketAddress(host: host, port: port)
        } catch {
            throw TransportError(code: .invalidAddress, operation: .parse, detail: text)
        }
    }

    /// Reads `HOST:PORT`, where the host may be a name, and looks the name up.
    ///
    /// - Returns: the addresses in the system's order of preference, at least one.
    package static func resolve(_ text: String) throws(TransportError) -> [SocketAddress] {
        let (host, port) = try split(text)
        return try resolve(host: host, port: port)
    }

    /// Looks `host` up with getaddrinfo. May block as long as the system's resolver does.
    package static func resolve(
        host: String, port: Int
    ) throws(TransportError) -> [SocketAddress] {
        let found = try lookUp(host, port: port, flags: 0, .resolve)
        guard !found.isEmpty else {
            throw TransportError(code: .nameNotFound, operation: .resolve, detail: host)
        }
        return found
    }

    /// The same host with another port.
    ///
    /// - Precondition: 0 <= port <= 65535.
    package func with(port: Int) -> SocketAddress {
        precondition(0...65535 ~= port, "port \(port) is not in 0...65535")
        return SocketAddress(host: host, port: port, family: family)
    }

    /// Whether only this host can reach the address.
    package var isLoopback: Bool {
        host.hasPrefix("127.") || host == "::1" || host.hasPrefix("::ffff:127.")
    }

    /// Whether the address stands for all of a host's addresses, to which no connection can be
    /// made.
    package var isWildcard: Bool { host == "0.0.0.0" || host == "::" }

    package var isIPv6: Bool { family == AF_INET6 }

    // MARK: - Text

    private static func split(_ text: String) throws(TransportError) -> (host: String, port: Int) {
        let invalid = TransportError(code: .invalidAddress, operation: .parse, detail: text)
        guard let colon = text.lastIndex(of: ":") else { throw invalid }
        var host = text[..<colon]
        let digits = text[text.index(after: colon)...]
        if host.hasPrefix("["), host.hasSuffix("]") {
            host = host.dropFirst().dropLast()
        } else if host.contains(":") {
            throw invalid
        }
        // Int(_:) would also take "+80" and "-0".
        guard !host.isEmpty, !host.utf8.contains(0), (1...5).contains(digits.count),
            digits.utf8.allSatisfy({ (48...57).contains($0) }), let port = Int(digits),
            port <= 65535
        else { throw invalid }
        return (String(host), port)
    }

    private static func lookUp(
        _ host: String, port: Int, flags: Int32, _ operation: TransportError.Operation
    ) throws(TransportError) -> [SocketAddress] {
        guard 0...65535 ~= port else {
            throw TransportError(
                code: .invalidAddress, operation: operation, detail: "\(host):\(port)")
        }
        var hints = addrinfo()
        hints.ai_family = AF_UNSPEC
        hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
        hints.ai_flags = flags | AI_NUMERICSERV
        var list: UnsafeMutablePointer<addrinfo>?
        guard getaddrinfo(host, String(port), &hints, &list) == 0 else {
            let code: TransportError.Code =
                flags & AI_NUMERICHOST != 0 ? .invalidAddress : .nameNotFound
            throw TransportError(code: code, operation: operation, detail: host)
        }
        defer { freeaddrinfo(list) }
        var found: [SocketAddress] = []
        var entry = list
        while let current = entry {
            if let bytes = current.pointee.ai_addr,
                let address = SocketAddress(bytes, length: current.pointee.ai_addrlen),
                !found.contains(address)
            {
                found.append(address)
            }
            entry = current.pointee.ai_next
        }
        return found
    }

    // MARK: - Kernel form

    /// Nil for families other than IPv4 and IPv6.
    init?(_ address: UnsafePointer<sockaddr>, length: socklen_t) {
        let family = Int32(address.pointee.sa_family)
        guard family == AF_INET || family == AF_INET6 else { return nil }
        var host = [CChar](repeating: 0, count: Int(NI_MAXHOST))
        var service = [CChar](repeating: 0, count: Int(NI_MAXSERV))
        let result = getnameinfo(
            address, length, &host, socklen_t(host.count), &service, socklen_t(service.count),
            NI_NUMERICHOST | NI_NUMERICSERV)
        guard result == 0, let port = Int(Self.text(service)) else { return nil }
        self.init(host: Self.text(host), port: port, family: family)
    }

    private static func text(_ characters: [CChar]) -> String {
        String(decoding: characters.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    /// Calls `body` with the address in the kernel's form.
    func withKernelForm<Result>(
        _ operation: TransportError.Operation,
        _ body: (UnsafePointer<sockaddr>, socklen_t) -> Result
    ) throws(TransportError) -> Result {
        var hints = addrinfo()
        hints.ai_family = family
        hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
        hints.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV
        var list: UnsafeMutablePointer<addrinfo>?
        guard getaddrinfo(host, String(port), &hints, &list) == 0,
            let bytes = list?.pointee.ai_addr,
            let length = list?.pointee.ai_addrlen
        else {
            throw TransportError(code: .invalidAddress, operation: operation, address: self)
        }
        defer { freeaddrinfo(list) }
        return body(bytes, length)
    }

    /// The address that `body` (getsockname, getpeername) fills in.
    static func reported(
        _ body: (UnsafeMutablePointer<sockaddr>, UnsafeMutablePointer<socklen_t>) -> Int32
    ) -> SocketAddress? {
        var storage = sockaddr_storage()
        var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
        return withUnsafeMutableBytes(of: &storage) { bytes in
            guard let pointer = bytes.baseAddress?.assumingMemoryBound(to: sockaddr.self),
                body(pointer, &length) == 0
            else { return nil }
            return SocketAddress(pointer, length: length)
        }
    }
}

extension SocketAddress: CustomStringConvertible {
    package var description: String {
        isIPv6 ? "[\(host)]:\(port)" : "\(host):\(port)"
    }
}

extension SocketAddress: Codable {
    /// As in `description`.
    package init(from decoder: any Decoder) throws {
        self = try .parse(try decoder.singleValueContainer().decode(String.self))
    }

    package func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(description)
    }
}
