import Foundation
import Glibc
import Launching
import Synchronization
import Testing

/// A shell script as a child, and the wait for its end.
private final class ShellChild: Sendable {
    private let ended = DispatchSemaphore(value: 0)
    let process: ChildProcess

    init(_ script: String, announces: Bool = false, log: String? = nil) throws {
        let ended = ended
        process = try ChildProcess(
            name: "shell",
            .init(
                executable: "/bin/sh", arguments: ["sh", "-c", script],
                environment: ["RONDO_TEST": "a value"],
                standardOutput: log.map { .appended(to: $0) } ?? .inherited,
                standardError: log.map { .appended(to: $0) } ?? .inherited, announces: announces)
        ) { _, _ in ended.signal() }
    }

    func end() throws -> ProcessEnd {
        try #require(ended.wait(timeout: .now() + 20) == .success, "the child did not end")
        return try #require(process.status)
    }
}

@Suite struct ChildProcessTests {
    private func temporaryPath(_ name: String) -> String {
        NSTemporaryDirectory() + "/rondo-launching-\(getpid())-\(name)"
    }

    @Test func exitStatusIsReported() throws {
        #expect(try ShellChild("exit 0").end() == .exited(0))
        #expect(try ShellChild("exit 3").end() == .exited(3))
    }

    @Test func signalIsReported() throws {
        let status = try ShellChild("kill -9 $$").end()
        #expect(status == .signalled(SIGKILL))
        #expect(status.description == "was killed by signal 9 (SIGKILL)")
    }

    @Test func endedChildIsReapedAndNoLongerSignalled() throws {
        let child = try ShellChild("exit 0")
        #expect(try child.end() == .exited(0))
        #expect(kill(child.process.processID, 0) == -1 && errno == ESRCH)
        child.process.signal(SIGKILL)
        #expect(child.process.status == .exited(0))
    }

    @Test func cutLifelineEndsChildThatReadsIt() throws {
        let child = try ShellChild("read line; exit 7")
        child.process.cutLifeline()
        #expect(try child.end() == .exited(7))
    }

    @Test func siblingDoesNotHoldLifeline() throws {
        let first = try ShellChild("read line; exit 7")
        let second = try ShellChild("read line; exit 8")
        first.process.cutLifeline()
        #expect(try first.end() == .exited(7))
        #expect(second.process.status == nil)
        second.process.cutLifeline()
        #expect(try second.end() == .exited(8))
    }

    @Test func groupSignalReachesGrandchildren() throws {
        let log = temporaryPath("group.log")
        defer { unlink(log) }
        // The shell waits for a grandchild that keeps the lifeline's read end open.
        let child = try ShellChild("echo ready >&3; cat; exit 1", announces: true)
        #expect(child.process.announcements?.nextLine(until: .now + .seconds(20)) == "ready")
        child.process.signalGroup(SIGTERM)
        #expect(try child.end() == .signalled(SIGTERM))
    }

    @Test func outputAndEnvironmentReachTheLog() throws {
        let log = temporaryPath("output.log")
        defer { unlink(log) }
        let child = try ShellChild("echo $RONDO_TEST; echo wrong >&2", log: log)
        #expect(try child.end() == .exited(0))
        #expect(try String(contentsOfFile: log, encoding: .utf8) == "a value\nwrong\n")
        #expect(Supervisor.lastLines(of: log, count: 1) == ["wrong"])
    }

    @Test func announcementsAreReadLineByLine() throws {
        let child = try ShellChild("echo one >&3; echo two >&3", announces: true)
        let reader = try #require(child.process.announcements)
        #expect(reader.nextLine(until: .now + .seconds(20)) == "one")
        #expect(try child.end() == .exited(0))
        #expect(reader.nextLine(until: .now + .seconds(20)) == "two")
        #expect(reader.nextLine(until: .now + .seconds(20)) == nil)
    }

    @Test func strayDescriptorsAreNotInherited() throws {
        let stray = open("/dev/null", O_RDONLY)
        defer { close(stray) }
        #expect(stray > 2)
        let child = try ShellChild("test ! -e /proc/self/fd/\(stray)")
        #expect(try child.end() == .exited(0))
    }

    @Test func missingProgramIsNamed() {
        #expect(
            throws: LaunchingError.system(
                subject: "worker 0", operation: "start '/no/such/program'", errorNumber: ENOENT)
        ) {
            _ = try ChildProcess(
                name: "worker 0",
                .init(executable: "/no/such/program", arguments: ["program"])
            ) { _, _ in }
        }
    }

    @Test func lifelineReportsTheEndOfItsInput() throws {
        var ends: [Int32] = [-1, -1]
        #expect(pipe(&ends) == 0)
        let ended = DispatchSemaphore(value: 0)
        Lifeline.watch(descriptor: ends[0]) { ended.signal() }
        var byte: UInt8 = 0
        #expect(write(ends[1], &byte, 1) == 1)
        close(ends[1])
        #expect(ended.wait(timeout: .now() + 20) == .success)
        close(ends[0])
    }
}
