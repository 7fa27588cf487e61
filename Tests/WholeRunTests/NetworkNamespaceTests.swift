// Hosts with networks of their own, on one machine: a namespace each for four workers, joined by
// veth pairs to a bridge in a fifth, where the coordinator is. A cable can be pulled here, and a
// network card be removed, which no signal to a process is like: nobody's connection is closed,
// packets just vanish.
//
// Nothing is changed in the namespace that the tests run in. Making namespaces needs CAP_NET_ADMIN
// and CAP_SYS_ADMIN; without them the test is skipped and says so.

import Foundation
import Glibc
import Launching
import Testing

/// A bridge with the coordinator's address on it and hosts around it; removed with the object.
private final class NamespaceNetwork {
    static let program = "/usr/sbin/ip"
    static let coordinatorAddress = "10.77.0.1"

    /// Why this machine cannot make one; nil when it can.
    static let obstacle: String? = {
        guard FileManager.default.isExecutableFile(atPath: program) else {
            return "there is no \(program): cluster/setup installs iproute2"
        }
        do {
            _ = try NamespaceNetwork(hosts: 1)
            return nil
        } catch {
            return "network namespaces cannot be made here (root may): \(error)"
        }
    }()

    private static let folder = "/run/netns"
    /// Every namespace of the tests begins with it; the process that made it follows.
    private static let family = "rondo-test-"

    private let prefix = "\(family)\(getpid())-\(UUID().uuidString.prefix(8))"
    private let hostCount: Int

    var hub: String { "\(prefix)-hub" }
    func host(_ index: Int) -> String { "\(prefix)-\(index)" }

    init(hosts: Int) throws {
        hostCount = hosts
        Self.removeLeftovers()
        try Self.ip("netns", "add", hub)
        try Self.ip("-n", hub, "link", "set", "lo", "up")
        try Self.ip("-n", hub, "link", "add", "bridge", "type", "bridge")
        try Self.ip("-n", hub, "address", "add", "\(Self.coordinatorAddress)/24", "dev", "bridge")
        try Self.ip("-n", hub, "link", "set", "bridge", "up")
        for index in 0..<hosts {
            let host = host(index)
            try Self.ip("netns", "add", host)
            try Self.ip("-n", host, "link", "set", "lo", "up")
            try Self.ip(
                "-n", hub, "link", "add", "port\(index)", "type", "veth", "peer", "name", "wire",
                "netns", host)
            try Self.ip("-n", hub, "link", "set", "port\(index)", "master", "bridge", "up")
            try Self.ip("-n", host, "address", "add", "10.77.0.\(index + 2)/24", "dev", "wire")
            try Self.ip("-n", host, "link", "set", "wire", "up")
        }
    }

    deinit {
        // Removes the interfaces in them too. Those that were never made are no loss.
        for name in (0..<hostCount).map(host) + [hub] { try? Self.ip("netns", "delete", name) }
    }

    /// What tests that were killed could not remove.
    private static func removeLeftovers() {
        for name in names() {
            let process = name.dropFirst(family.count).prefix { $0 != "-" }
            guard let process = pid_t(process), kill(process, 0) != 0, errno == ESRCH else {
                continue
            }
            try? ip("netns", "delete", name)
        }
    }

    private static func names() -> [String] {
        ((try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? [])
            .filter { $0.hasPrefix(family) }
    }

    /// Pulls the cable of a host, or puts it in again.
    func setLink(ofHost index: Int, up: Bool) throws {
        try Self.ip("-n", hub, "link", "set", "port\(index)", up ? "up" : "down")
    }

    func removeInterface(ofHost index: Int) throws {
        try Self.ip("-n", host(index), "link", "delete", "wire")
    }

    /// The names of this network's namespaces that there are.
    var namespaces: [String] { Self.names().filter { $0.hasPrefix(prefix) } }

    struct Failure: Error, CustomStringConvertible {
        let description: String
    }

    static func ip(_ arguments: String...) throws {
        let path = FileManager.default.temporaryDirectory.path + "/rondo-ip-\(UUID().uuidString)"
        defer { try? FileManager.default.removeItem(atPath: path) }
        let ended = DispatchSemaphore(value: 0)
        let process = try ChildProcess(
            name: "ip",
            .init(
                executable: program, arguments: ["ip"] + arguments,
                standardOutput: .appended(to: path), standardError: .appended(to: path))
        ) { _, _ in ended.signal() }
        guard ended.wait(timeout: .now() + 10) == .success, process.status == .exited(0) else {
            process.signal(SIGKILL)
            let words = (try? String(contentsOfFile: path, encoding: .utf8)) ?? ""
            throw Failure(
                description: "'ip \(arguments.joined(separator: " "))': "
                    + words.split(separator: "\n").joined(separator: " "))
        }
    }
}

extension WholeRunTests {
    @Suite(
        .serialized,
        .enabled(
            if: NamespaceNetwork.obstacle == nil,
            "SKIPPED, no network is cut in this run of the tests: \(NamespaceNetwork.obstacle ?? "")"
        ))
    struct NetworkNamespaces {
        @Test func cutLinkAndRemovedInterfaceAreSurvived() throws {
            let run = try TestRun(
                length: "steps: 15000",
                extra: """
                    evaluation: { everyEpochs: 1000000 }, checkpoint: { everyEpochs: 1000000 },
                    communication: { timeoutSeconds: 4, coordinatorSeconds: 4 },
                    """)
            let expected = try run.train("whole", workers: 1).text("model_sha256")
            // Declared after the run, so that it goes first, also when the test fails.
            var network: NamespaceNetwork? = try NamespaceNetwork(hosts: 4)
            func start(in namespace: String, _ arguments: [String]) throws -> RunningProgram {
                try RunningProgram(
                    NamespaceNetwork.program,
                    ["netns", "exec", namespace, TestRun.executable] + arguments,
                    folder: run.folder, environment: ["SWIFT_BACKTRACE": "enable=no"])
            }
            func log() -> String { run.text("out/log.txt") }

            let hub = try #require(network?.hub)
            let coordinator = try start(
                in: hub,
                [
                    "coordinator", run.configuration, "--workers", "4", "--listen",
                    "\(NamespaceNetwork.coordinatorAddress):0", "--output", "\(run.folder)/out",
                ])
            func address() -> Substring? {
                coordinator.errorText.split(separator: "\n")
                    .first { $0.hasPrefix("listening on ") }?
                    .dropFirst("listening on ".count).prefix { $0 != ";" }
            }
            try TestRun.wait("the coordinator's address") { address() != nil }
            let place = String(try #require(address()))
            let workers = try (0..<4).map { index in
                try start(
                    in: try #require(network?.host(index)),
                    ["worker", "--coordinator", place, "--slot", "\(index)"])
            }
            func wait(_ words: String, until condition: () -> Bool) throws {
                try TestRun.wait(words) {
                    try #require(
                        !coordinator.hasEnded, "ended before \(words)\n\(coordinator.errorText)")
                    return condition()
                }
            }
            func isLost(_ worker: Int) -> Bool { log().contains(" lost worker \(worker) (host ") }
            func hasMembers(_ count: Int) -> Bool {
                log().split(separator: "\n").last { $0.contains(" generation ") }?
                    .contains(": \(count) workers on ") ?? false
            }
            try run.waitForSteps(in: "out")

            try network?.setLink(ofHost: 1, up: false)
            try wait("the loss of the host without a link") { isLost(1) && hasMembers(3) }
            try network?.setLink(ofHost: 1, up: true)
            try wait("its return") { hasMembers(4) }
            try network?.removeInterface(ofHost: 2)
            try wait("the loss of the host without an interface") { isLost(2) && hasMembers(3) }

            #expect(try coordinator.end() == .exited(0), "\(coordinator.errorText)")
            #expect(try coordinator.result().text("model_sha256") == expected, "\(log())")
            for index in [0, 1, 3] {
                #expect(try workers[index].end() == .exited(0), "\(workers[index].errorText)")
            }
            // The one that is cut off for good gives up by itself and says why.
            #expect(try workers[2].end() == .exited(4), "\(workers[2].errorText)")
            #expect(workers[2].errors.count == 1, "\(workers[2].errorText)")
            #expect(!log().contains(" lost worker 0 ") && !log().contains(" lost worker 3 "))
            #expect(run.processes() == [])
            let names = try #require(network?.namespaces)
            #expect(names.count == 5)
            network = nil
            for name in names {
                #expect(!FileManager.default.fileExists(atPath: "/run/netns/\(name)"))
            }
        }
    }
}
