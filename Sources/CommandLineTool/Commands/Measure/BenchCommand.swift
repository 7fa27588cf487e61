import Learning
import Benchmarks
import ExitCodes
import Foundation
import Launching
import Models
import Configuration
import RunProcesses
import Training
import Transport
import WireFormat

/// `rondo bench`: training steps of named workloads, and all-reduces.
enum BenchCommand {
    static let command = Command(
        specification: CommandSpecification(
            name: "bench", summary: "measures training steps and all-reduces",
            discussion: [
                "'bench train WORKLOAD' trains on random inputs of the real shapes, one replica per "
                    + "worker; workloads: "
                    + WorkloadName.allCases.map(\.rawValue).joined(separator: ", ") + ". "
                    + "'bench allreduce' sums buffers of 4 KB to 64 MB over all workers. Both "
                    + "check what they measure.",
                "The workers are processes on this machine. With '--listen' they are started by hand, on any "
                    + "machines, as 'rondo bench worker --coordinator HOST:PORT'.",
                "Rates in GFLOP/s are those of one worker and count every product as written; beside them "
                    + "stands what OpenBLAS reaches with large matrices in the same run. "
                    + "'--profile' shows where the first worker spends the time of a step.",
                "Times are medians; bus bandwidth is 2 (N - 1) / N x bytes / time.",
            ],
            positionals: [
                .init("WHAT", repeats: true, "'train WORKLOAD', 'allreduce' or 'worker'")
            ],
            options: [
                .init("workers", value: "N", "worker processes (default: 2)"),
                .init("steps", value: "N", "steps that are measured (default: 40)"),
                .init("profile", "print the time of each operation and phase"),
                .init("trace", value: "FILE", "write a timeline for chrome://tracing"),
                .init(
                    "transport", value: "NAME",
                    "how the ring sends data: auto, tcp or shm (default: auto)"),
                .init(
                    "gradients", value: "NAME",
                    "for train: float32 or bfloat16 on the ring (default: float32)"),
                .init("largest", value: "BYTES", "for allreduce: skip larger buffers"),
                .init(
                    "listen", value: "HOST:PORT",
                    "wait at this address for workers started by hand"),
                .init("json", "one line of JSON per result"),
                .init("coordinator", value: "HOST:PORT", "for worker: where the benchmark listens"),
                .init("slot", value: "I", isHidden: true, "the worker's slot"),
            ],
            examples: [
                "rondo bench train cnn --workers 2 --json", "rondo bench allreduce",
                "rondo bench allreduce --workers 4 --listen 192.168.1.10:4000",
            ]),
        run: run)

    private static func run(
        _ arguments: ParsedArguments, _ tasks: TaskList
    ) throws -> ExitCode {
        let kind = arguments.positionals
        if kind == ["worker"] {
            guard let coordinator = try arguments.address("coordinator") else {
                throw UsageError("'rondo bench worker' needs --coordinator HOST:PORT")
            }
            return try work(coordinator, slot: try arguments.integer("slot", in: 0...1023))
        }
        let workers = try BenchWorkers(arguments)
        switch kind {
        case ["allreduce"]:
            try refuse(["steps", "profile", "trace", "gradients"], for: "allreduce", arguments)
            try BenchAllReduce(arguments).run(workers)
        case _ where kind.count == 2 && kind[0] == "train":
            try refuse(["largest"], for: "train", arguments)
            try BenchTraining(kind[1], arguments).run(workers)
        default:
            throw UsageError("'rondo bench' takes 'train WORKLOAD', 'allreduce' or 'worker'")
        }
        return .done
    }

    private static func refuse(
        _ options: [String], for kind: String, _ arguments: ParsedArguments
    ) throws(UsageError) {
        for option in options where arguments.has(option) {
            throw UsageError("'--\(option)' has no meaning for 'rondo bench \(kind)'")
        }
    }

    private static func work(_ coordinator: SocketAddress, slot: Int?) throws -> ExitCode {
        // Workers that the benchmark started end with it; others may have a terminal as their
        // input.
        if slot != nil { Lifeline.watch { ProcessExit.atOnce(.peersLost) } }
        try BenchWorker.run(
            coordinator: coordinator, slot: slot,
            productVersion: ProductVersion.current)
        return .done
    }
}
