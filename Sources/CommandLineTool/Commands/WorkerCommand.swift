import Foundation
import Launching
import Synchronization
import Training
import Transport
import WireFormat

/// `rondo worker`: one of the processes that compute.
enum WorkerCommand {
    static let command = Command(
        specification: CommandSpecification(
            name: "worker",
            summary: "joins a coordinator and computes its share of the replicas",
            discussion: [
                "Everything it needs comes from the coordinator, except the data, which must lie "
                    + "at the configuration's paths on this machine too.",
                "It may join while the run is under way. Ctrl-C or SIGTERM ends the step, hands "
                    + "the replicas over to the other workers and leaves.",
            ],
            options: [
                .init("coordinator", value: "HOST:PORT", "where the coordinator listens"),
                .init("slot", value: "I", "the rank to ask for (default: the first free one)"),
                .init("lifeline", isHidden: true, "end when standard input ends"),
            ],
            examples: ["rondo worker --coordinator 10.0.0.1:4000"]),
        run: run)

    private static func run(_ arguments: ParsedArguments) throws -> Int32 {
        guard let place = arguments.text("coordinator") else {
            throw UsageError("'rondo worker' needs --coordinator HOST:PORT")
        }
        let address = try coordinatorAddress(place)
        let slot = try arguments.integer("slot", in: 0...1023)
        let run = WorkerRun(
            WorkerOptions(
                coordinator: address, slot: slot, productVersion: ProductVersion.current,
                log: { line in
                    let text = line.split(whereSeparator: \.isNewline).joined(separator: " ")
                    Console.errorText("rondo: \(text)")
                }))
        if arguments.has("lifeline") {
            Lifeline.watch {
                Console.error("the process that started this worker is gone")
                CoordinatorCommand.exitAtOnce(4)
            }
        }
        let requests = Mutex(StopRequests())
        try SignalWatch.start { _ in
            switch requests.withLock({ $0.received(at: .now) }) {
            case .stop: run.requestLeave(reason: "it was asked to by a signal")
            case .echo: break
            case .endAtOnce: CoordinatorCommand.exitAtOnce(130)
            }
        }
        return run.run()
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
