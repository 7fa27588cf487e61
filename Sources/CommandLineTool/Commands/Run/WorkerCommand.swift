import ExitCodes
import Learning
import RunProcesses
import Transport

/// `rondo worker`: joins a run and computes.
enum WorkerCommand {
    static let command = Command(
        specification: CommandSpecification(
            name: "worker",
            summary: "joins a coordinator and computes its share of the replicas",
            discussion: [
                "The coordinator sends everything except the data, which must lie at the "
                    + "configuration's paths on this machine too.",
                "A worker may join while the run is under way. After Ctrl-C or SIGTERM it finishes "
                    + "the step, hands its replicas over to the other workers and leaves.",
            ],
            options: [
                .init("coordinator", value: "HOST:PORT", "where the coordinator listens"),
                .init("slot", value: "I", "the slot to take (default: the first free one)"),
                .init("lifeline", isHidden: true, "end when standard input ends"),
            ],
            examples: ["rondo worker --coordinator 10.0.0.1:4000"]),
        run: run)

    private static func run(
        _ arguments: ParsedArguments, _ tasks: TaskList
    ) throws -> ExitCode {
        guard let address = arguments.text("coordinator") else {
            throw UsageError("'rondo worker' needs --coordinator HOST:PORT")
        }
        return try WorkerRole(
            coordinator: try coordinatorAddress(address),
            slot: try arguments.integer("slot", in: 0...1023),
            hasLifeline: arguments.has("lifeline")
        ).run(tasks)
    }

    private static func coordinatorAddress(_ text: String) throws -> SocketAddress {
        do {
            guard let address = try SocketAddress.resolve(text).first else {
                throw UsageError("--coordinator must be HOST:PORT, got '\(text)'")
            }
            return address
        } catch let error as TransportError where error.code == .invalidAddress {
            throw UsageError("--coordinator must be HOST:PORT, got '\(text)'")
        }
    }
}
