import ExitCodes
import Learning
import RunProcesses
import Transport

/// `rondo coordinator`: coordinates a run whose workers are started by other means.
enum CoordinatorCommand {
    static let command = Command(
        specification: CommandSpecification(
            name: "coordinator",
            summary: "coordinates a run whose workers are started by hand or by a scheduler",
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
                    "the address for workers to connect to; port 0 takes a free one "
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

    private static func run(
        _ arguments: ParsedArguments, _ tasks: TaskList
    ) throws -> ExitCode {
        let parent = try arguments.integer("announce", in: 3...1023).map { ParentLine($0) }
        return try ParentLine.reportingFailure(to: parent) {
            let options = try RunOptions(arguments, tasks)
            return try CoordinatorRole(
                configuration: options.configuration, folder: options.folder, mode: options.mode,
                workerCount: try arguments.integer("workers", in: 1...1024) ?? 1,
                listenAddress: try listenAddress(arguments.text("listen") ?? "127.0.0.1:0"),
                parent: parent, hasLifeline: arguments.has("lifeline")
            ).run(tasks)
        }
    }

    private static func listenAddress(_ text: String) throws(UsageError) -> SocketAddress {
        guard let address = try? SocketAddress.resolve(text).first else {
            throw UsageError("--listen must be ADDRESS:PORT of this machine, got '\(text)'")
        }
        return address
    }
}
