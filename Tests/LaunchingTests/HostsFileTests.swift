import Foundation
import Launching
import Testing

@Suite struct HostsFileTests {
    @Test func wholeGrammar() throws {
        let file = try HostsFile.parse(
            """
            # a comment

            node1
            anna@node2  slots=3 rondo=/opt/rondo/bin/rondo   # the big one
            node3 ssh="-p 2222 -i '/home/a b/key'" rondo="/with #/rondo"
            """, path: "hosts")
        #expect(
            file.hosts == [
                .init(name: "node1"),
                .init(name: "anna@node2", slots: 3, rondo: "/opt/rondo/bin/rondo"),
                .init(
                    name: "node3", rondo: "/with #/rondo",
                    sshOptions: ["-p", "2222", "-i", "/home/a b/key"]),
            ])
        #expect(file.slotCount == 5)
    }

    @Test(arguments: [
        ("node slots=0", "slots must be a whole number from 1 to 1024, got '0'"),
        ("node slots=two", "slots must be a whole number from 1 to 1024, got 'two'"),
        ("node slot=2", "unknown key 'slot'; keys are slots, rondo and ssh"),
        ("node 4", "'4' is not key=value; keys are slots, rondo and ssh"),
        ("slots=2", "expected a host's name first, got 'slots=2'"),
        ("-oProxyCommand=x", "expected a host's name first, got '-oProxyCommand=x'"),
        ("node ssh=\"-p 22", "a quote is not closed"),
        ("node rondo=", "rondo needs the program's path on the host"),
    ])
    func mistakesNameTheirLine(line: String, problem: String) {
        #expect(throws: LaunchingError.hostsFile(path: "hosts", line: 2, problem: problem)) {
            try HostsFile.parse("good\n\(line)", path: "hosts")
        }
    }

    @Test func fileWithoutHostsAndMissingFile() {
        #expect(throws: LaunchingError.hostsFileUnusable(path: "h", reason: "no host in the file"))
        {
            try HostsFile.parse("# nothing\n", path: "h")
        }
        #expect(throws: LaunchingError.hostsFileUnusable(path: "/no/h", reason: "no such file")) {
            try HostsFile.load(path: "/no/h")
        }
    }
}

@Suite struct SSHCommandTests {
    @Test func userOptionsComeFirst() {
        let host = HostsFile.Host(name: "node", sshOptions: ["-o", "ConnectTimeout=2"])
        let arguments = SSHCommand.arguments(for: host, remote: ["rondo", "worker"])
        #expect(arguments.prefix(4) == ["ssh", "-T", "-o", "ConnectTimeout=2"])
        #expect(arguments.suffix(3) == ["--", "node", "exec sh -c 'rondo worker; exit $?'"])
    }

    @Test func wordsAreQuotedForTheShell() {
        let words = ["env", "~/my rondo", "it's", "", "[::1]:5"].map(SSHCommand.quoted)
        #expect(words == ["env", "~/'my rondo'", "'it'\\''s'", "''", "'[::1]:5'"])
    }

    /// What the shells at the other end make of the command, with the shell here instead.
    @Test func remoteCommandPassesWordsStatusAndSignals() throws {
        func run(_ arguments: [String]) throws -> (output: String, status: Int32) {
            let process = Process()
            let output = Pipe()
            process.executableURL = URL(fileURLWithPath: "/bin/sh")
            process.arguments = ["-c", SSHCommand.remoteCommand(arguments)]
            process.standardOutput = output
            process.standardError = FileHandle.nullDevice
            try process.run()
            let bytes = output.fileHandleForReading.readDataToEndOfFile()
            process.waitUntilExit()
            return (String(decoding: bytes, as: UTF8.self), process.terminationStatus)
        }
        let words = ["it's", "", "a  b", "$HOME", "[::1]:5"]
        let printed = try run(["printf", "%s|"] + words)
        #expect(printed.output == words.map { $0 + "|" }.joined())
        #expect(printed.status == 0)
        #expect(try run(["sh", "-c", "exit 3"]).status == 3)
        let killed = try run(["sh", "-c", "kill -9 $$"]).status
        #expect(SSHCommand.remoteEnd(of: .exited(killed)) == .signalled(9))
        #expect(SSHCommand.remoteEnd(of: .exited(4)) == .exited(4))
        #expect(SSHCommand.remoteEnd(of: .exited(255)) == .exited(255))
    }
}

@Suite struct RouteAddressTests {
    @Test func loopbackIsReachedFromLoopback() throws {
        #expect(try RouteAddress.local(toward: "127.0.0.1", port: 22, host: "h") == "127.0.0.1")
    }

    @Test func unknownNameIsAnError() {
        do throws(LaunchingError) {
            _ = try RouteAddress.local(toward: "no-such-host.invalid", port: 22, host: "h")
            Issue.record("the name was found")
        } catch {
            #expect("\(error)".hasPrefix("host h: cannot look up 'no-such-host.invalid': "))
            #expect("\(error)".contains("; check the name in the file of hosts"))
        }
    }

    @Test(arguments: [
        (["127.0.0.1", "10.0.0.5"], ["10.0.0.5", "10.0.0.5"]),
        (["10.0.0.5", "127.0.1.1", "192.168.0.2"], ["10.0.0.5", "10.0.0.5", "192.168.0.2"]),
        (["::1", "10.0.0.5", "fd00::5"], ["fd00::5", "10.0.0.5", "fd00::5"]),
        (["127.0.0.1", "fd00::5"], ["fd00::5", "fd00::5"]),
        (["127.0.0.1", "127.0.0.2"], ["127.0.0.1", "127.0.0.2"]),
    ])
    func loopbackGivesWayToOtherRoutes(routes: [String], expected: [String]) {
        #expect(RouteAddress.withoutLoopbackAmongOthers(routes) == expected)
    }

    @Test func ownAddressesAreOfThisMachineAndNotLoopback() throws {
        for address in RouteAddress.ownAddresses() {
            #expect(!RouteAddress.isLoopback(address))
            #expect(try RouteAddress.local(toward: address, port: 22, host: "h") == address)
        }
    }

    @Test func aliasIsTakenFromTheConfigurationOfSSH() {
        let target = RouteAddress.target(
            inConfiguration: "user anna\nhostname 10.0.0.5\nport 2222\n", host: "big")
        #expect(target.name == "10.0.0.5" && target.port == 2222)
        #expect(RouteAddress.target(inConfiguration: "", host: "anna@big").name == "big")
    }
}
