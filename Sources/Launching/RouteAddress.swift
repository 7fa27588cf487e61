// Which of this machine's addresses a host can reach it at. A machine has many (loopback, bridges,
// VPNs) and guessing among them goes wrong, so the kernel is asked: a UDP socket that is connected
// to the host takes the source address of the route to it, without sending anything.

import Foundation
import Glibc

/// Finds the local address of the route to a host.
package enum RouteAddress {
    /// The address of this machine on the way to the host that ssh would connect to.
    package static func local(for host: HostsFile.Host) throws(LaunchingError) -> String {
        let target = try sshTarget(of: host)
        return try local(toward: target.name, port: target.port, host: host.name)
    }

    /// The address that a packet from here to `name` would carry, numeric.
    package static func local(
        toward name: String, port: Int, host: String
    ) throws(LaunchingError) -> String {
        var hints = addrinfo()
        hints.ai_family = AF_UNSPEC
        hints.ai_socktype = Int32(SOCK_DGRAM.rawValue)
        hints.ai_flags = AI_NUMERICSERV
        var list: UnsafeMutablePointer<addrinfo>?
        let result = getaddrinfo(name, String(port), &hints, &list)
        guard result == 0 else {
            let reason = String(cString: gai_strerror(result))
            throw .unknownHost(host: host, reason: "cannot look up '\(name)': \(reason)")
        }
        defer { freeaddrinfo(list) }
        var entry = list
        while let current = entry {
            if let address = source(for: current.pointee) { return address }
            entry = current.pointee.ai_next
        }
        throw .noRoute(host: host, reason: "no route to '\(name)'")
    }

    /// The routes of one run, in a form that all of its workers can use. Workers on other hosts
    /// cannot reach a worker at a loopback address. So if one route is not loopback, its address
    /// replaces the loopback ones; from this machine to itself it is as fast.
    package static func withoutLoopbackAmongOthers(_ routes: [String]) -> [String] {
        let others = routes.filter { !isLoopback($0) }
        guard let first = others.first else { return routes }
        return routes.map { route in
            guard isLoopback(route) else { return route }
            return others.first { $0.contains(":") == route.contains(":") } ?? first
        }
    }

    /// Whether a numeric address never leaves this machine.
    package static func isLoopback(_ address: String) -> Bool {
        address.hasPrefix("127.") || address == "::1" || address.hasPrefix("::ffff:127.")
    }

    /// This machine's addresses on its networks, numeric, without loopback and link-local ones.
    package static func ownAddresses() -> [String] {
        var list: UnsafeMutablePointer<ifaddrs>?
        guard getifaddrs(&list) == 0 else { return [] }
        defer { freeifaddrs(list) }
        var found: [String] = []
        var entry = list
        while let current = entry {
            if let address = current.pointee.ifa_addr, let text = numeric(address),
                !isLoopback(text), !text.hasPrefix("fe80:"), !found.contains(text)
            {
                found.append(text)
            }
            entry = current.pointee.ifa_next
        }
        return found
    }

    private static func numeric(_ address: UnsafeMutablePointer<sockaddr>) -> String? {
        let length: Int
        switch Int32(address.pointee.sa_family) {
        case AF_INET: length = MemoryLayout<sockaddr_in>.size
        case AF_INET6: length = MemoryLayout<sockaddr_in6>.size
        default: return nil
        }
        var text = [CChar](repeating: 0, count: Int(NI_MAXHOST))
        guard
            getnameinfo(
                address, socklen_t(length), &text, socklen_t(text.count), nil, 0, NI_NUMERICHOST)
                == 0
        else { return nil }
        return String(
            decoding: text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    private static func source(for entry: addrinfo) -> String? {
        let descriptor = socket(
            entry.ai_family, Int32(SOCK_DGRAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        guard connect(descriptor, entry.ai_addr, entry.ai_addrlen) == 0 else { return nil }
        var storage = sockaddr_storage()
        var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
        var text = [CChar](repeating: 0, count: Int(NI_MAXHOST))
        let succeeded = withUnsafeMutableBytes(of: &storage) { bytes in
            guard let pointer = bytes.baseAddress?.assumingMemoryBound(to: sockaddr.self) else {
                return false
            }
            return getsockname(descriptor, pointer, &length) == 0
                && getnameinfo(
                    pointer, length, &text, socklen_t(text.count), nil, 0, NI_NUMERICHOST) == 0
        }
        guard succeeded else { return nil }
        let bytes = text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }
        return String(decoding: bytes, as: UTF8.self)
    }

    /// The machine that the name in the hosts file stands for: `ssh -G` applies the user's aliases.
    private static func sshTarget(
        of host: HostsFile.Host
    ) throws(LaunchingError) -> (name: String, port: Int) {
        let process = Process()
        let output = Foundation.Pipe()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = ["ssh", "-G"] + host.sshOptions + ["--", host.name]
        process.standardOutput = output
        process.standardError = FileHandle.nullDevice
        process.standardInput = FileHandle.nullDevice
        do {
            try process.run()
        } catch {
            throw .noRoute(host: host.name, reason: "cannot run ssh: \(error.localizedDescription)")
        }
        let bytes = output.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        guard process.terminationStatus == 0 else {
            let reason =
                process.terminationStatus == 127
                ? "ssh is not installed" : "ssh does not take the options in the file of hosts"
            throw .noRoute(host: host.name, reason: reason)
        }
        return target(inConfiguration: String(decoding: bytes, as: UTF8.self), host: host.name)
    }

    /// Reads what `ssh -G` prints.
    package static func target(
        inConfiguration text: String, host: String
    ) -> (name: String, port: Int) {
        var name = host.split(separator: "@").last.map(String.init) ?? host
        var port = 22
        for line in text.split(whereSeparator: \.isNewline) {
            let fields = line.split(separator: " ", maxSplits: 1)
            guard fields.count == 2 else { continue }
            if fields[0] == "hostname" { name = String(fields[1]) }
            if fields[0] == "port" { port = Int(fields[1]) ?? port }
        }
        return (name, port)
    }
}
