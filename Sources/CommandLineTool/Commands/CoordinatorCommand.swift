import Foundation
import Launching
import Synchronization
import Training
import Transport

/// `rondo coordinator`: leads a run whose workers are started by somebody else.
enum CoordinatorCommand {
    static let command = Command(
        specification: CommandSpecification(
            name: "coordinator",
            summary: "leads a run; its workers are started by hand or by other means",
            discussion: [
                "Checks the configuration, the data and the model, waits until all workers have "
                    + "joined, deals the replicas out to them and records the run. Workers are "
                    + "started with 'rondo worker --coordinator ADDRESS:PORT'; 'rondo train' does "
                    + "all of this by itself."
            ],
            positionals: [RunOptions.configurationPositional],
            options: [
                .init(
                    "listen", value: "ADDRESS:PORT",
                    "where workers reach this process; port 0 takes a free one "
                        + "(default: 127.0.0.1:0)"),
                .init("workers", value: "N", "how many workers take part (default: 1)"),
            ] + RunOptions.specifications + [
                .init("announce", value: "FD", isHidden: true, "tell a parent process the address"),
                .init("lifeline", isHidden: true, "end when standard input ends"),
            ],
            examples: [
                "rondo coordinator configs/fashion-mnist-mlp.json --listen 127.0.0.1:4000 "
                    + "--workers 2"
            ]),
        run: run)

    private static func run(_ arguments: ParsedArguments) throws -> Int32 {
        let parent = try arguments.integer("announce", in: 3...1023).map { ParentLine($0) }
        if arguments.has("lifeline") {
            // The workers have lifelines of their own; there is nobody left to save for.
            Lifeline.watch { exitAtOnce(4) }
        }
        do {
            return try lead(arguments, parent)
        } catch {
            // A parent says it in its own place; the words must not appear twice.
            guard let parent else { throw error }
            parent.send("failed \(error)")
            return Program.exitCode(of: error)
        }
    }

    private static func lead(_ arguments: ParsedArguments, _ parent: ParentLine?) throws -> Int32 {
        let options = try RunOptions(arguments)
        let run = try CoordinatorRun(
            CoordinatorOptions(
                configuration: options.configuration, folder: options.folder, mode: options.mode,
                workerCount: try arguments.integer("workers", in: 1...1024) ?? 1,
                listenAddress: try listenAddress(arguments.text("listen") ?? "127.0.0.1:0"),
                isTerminal: Console.isErrorATerminal, terminalWidth: Console.width),
            announce: { address in
                if let parent {
                    parent.send("listening \(address)")
                } else {
                    Console.errorText(invitation(to: address, RouteAddress.ownAddresses()))
                }
            }, write: Console.progress)
        let stopper = SignalStopper(run)
        try SignalWatch.start { _ in stopper.signalled() }
        return report(run.run(), options, parent)
    }

    /// How workers are started. Whoever listens on all addresses is reached by one of them.
    static func invitation(to address: SocketAddress, _ ownAddresses: [String]) -> String {
        guard address.isWildcard else {
            return "listening on \(address); start the workers with\n"
                + "  rondo worker --coordinator \(address)"
        }
        let usable = ownAddresses.filter { address.isIPv6 || !$0.contains(":") }
        let list = usable.isEmpty ? "" : ": " + usable.joined(separator: ", ")
        return "listening on \(address); start the workers with\n"
            + "  rondo worker --coordinator ADDRESS:\(address.port)\n"
            + "where ADDRESS is this machine's as all of them can reach it\(list)"
    }

    private static func listenAddress(_ text: String) throws(UsageError) -> SocketAddress {
        guard let address = try? SocketAddress.resolve(text).first else {
            throw UsageError("--listen must be ADDRESS:PORT of this machine, got '\(text)'")
        }
        return address
    }

    private static func report(
        _ end: CoordinatorEnd, _ options: RunOptions, _ parent: ParentLine?
    ) -> Int32 {
        switch end {
        case .finished(let result):
            do {
                Console.output(try result.line())
                guard let failure = Console.outputFailure else { return 0 }
                // The only message of a finished run: whoever started it must not miss it.
                if let parent { parent.send("failed \(failure)") } else { Console.error(failure) }
                return 1
            } catch {
                Console.error("cannot write the result: \(error)")
                return 1
            }
        case .stopped(let step, let checkpointStep):
            if let checkpointStep {
                let folder = options.folder.path
                Console.errorText("interrupted: saved after step \(checkpointStep) in \(folder)")
                if parent == nil { Console.errorText("go on with the same command and --resume") }
            } else {
                Console.errorText("interrupted after step \(step), before anything was saved")
                if parent == nil, (try? options.folder.check(.resume)) != nil {
                    Console.errorText("begin again with the same command and --resume")
                }
            }
            return 130
        case .failed(let exitCode, let message):
            if let parent { parent.send("failed \(message)") } else { Console.error(message) }
            return exitCode
        }
    }

    static func exitAtOnce(_ code: Int32) -> Never {
        // Not exit(): its handlers would wait for threads that may be blocked for good.
        _exit(code)
    }
}

/// The first signal asks the run to stop, one that is not its echo ends the process.
private final class SignalStopper: Sendable {
    private let run: CoordinatorRun
    private let requests = Mutex(StopRequests())

    init(_ run: CoordinatorRun) { self.run = run }

    func signalled() {
        switch requests.withLock({ $0.received(at: .now) }) {
        case .stop: run.requestStop(reason: "interrupted")
        case .echo: break
        case .endAtOnce: CoordinatorCommand.exitAtOnce(130)
        }
    }
}

/// The pipe to the process that started this one.
private struct ParentLine {
    let descriptor: Int32

    init(_ descriptor: Int) { self.descriptor = Int32(descriptor) }

    func send(_ line: String) {
        let single = line.split(whereSeparator: \.isNewline).joined(separator: " ")
        Console.write(single + "\n", to: descriptor)
    }
}
