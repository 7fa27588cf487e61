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
        #expect(arguments.suffix(3) == ["--", "node", "exec rondo worker"])
    }

    @Test func wordsAreQuotedForTheShell() {
        #expect(
            SSHCommand.remoteCommand(["env", "A=1", "~/my rondo", "it's", "", "[::1]:5"])
                == "exec env A=1 ~/'my rondo' 'it'\\''s' '' '[::1]:5'")
    }
}

@Suite struct RouteAddressTests {
    @Test func loopbackIsReachedFromLoopback() throws {
        #expect(try RouteAddress.local(toward: "127.0.0.1", port: 22, host: "h") == "127.0.0.1")
    }

    @Test func unknownNameIsAnError() {
        #expect(throws: LaunchingError.self) {
            try RouteAddress.local(toward: "no-such-host.invalid", port: 22, host: "h")
        }
    }

    @Test func aliasIsTakenFromTheConfigurationOfSSH() {
        let target = RouteAddress.target(
            inConfiguration: "user anna\nhostname 10.0.0.5\nport 2222\n", host: "big")
        #expect(target.name == "10.0.0.5" && target.port == 2222)
        #expect(RouteAddress.target(inConfiguration: "", host: "anna@big").name == "big")
    }
}
