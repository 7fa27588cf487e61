import Foundation
import Launching
import Models
import RunProcesses
import Synchronization
import Training
import Transport
import WireFormat

/// `rondo bench`: training steps of named workloads, and all-reduces.
enum BenchCommand {
    static let command = Command(
        specification: CommandSpecification(
            name: "bench", summary: "measures training steps and all-reduces on this machine",
            discussion: [
                "'bench train WORKLOAD' trains on random inputs of the real shapes, one replica per "
                    + "worker; workloads: "
                    + WorkloadName.allCases.map(\.rawValue).joined(separator: ", ") + ". "
                    + "'bench allreduce' sums buffers of 4 KB to 64 MB over all workers. Both "
                    + "check what they measure.",
                "Rates in GFLOP/s are those of one worker, counted as if every product were computed as it is "
                    + "written, beside what OpenBLAS reaches with large matrices in the same run. "
                    + "'--profile' prints what takes the time of a step of the first worker.",
                "Times are medians; bus bandwidth is 2 (N - 1) / N x bytes / time.",
            ],
            positionals: [.init("WHAT", repeats: true, "'train WORKLOAD' or 'allreduce'")],
            options: [
                .init("workers", value: "N", "worker processes (default: 2)"),
                .init("steps", value: "N", "steps that are measured (default: 40)"),
                .init("profile", "print the time of each operation and phase"),
                .init("trace", value: "FILE", "write what happened when, for chrome://tracing"),
                .init("transport", value: "NAME", "for allreduce: tcp (default: tcp)"),
                .init("json", "one line of JSON per result"),
                .init("coordinator", value: "HOST:PORT", isHidden: true, "join as a worker"),
                .init("slot", value: "I", isHidden: true, "the worker's rank"),
            ],
            examples: ["rondo bench train cnn --workers 2 --json", "rondo bench allreduce"]),
        run: run)

    private static let warmupSteps = 5

    private static func run(_ arguments: ParsedArguments) throws -> Int32 {
        if let coordinator = arguments.text("coordinator") {
            return try work(coordinator, slot: try arguments.integer("slot", in: 0...1023) ?? 0)
        }
        let workers = try arguments.integer("workers", in: 1...64) ?? 2
        let steps = try arguments.integer("steps", in: 1...1_000_000) ?? 40
        if let transport = arguments.text("transport"), transport != "tcp" {
            throw UsageError("--transport must be tcp, got '\(transport)'")
        }
        switch arguments.positionals {
        case ["allreduce"]:
            try allReduce(workers: workers, asJSON: arguments.has("json"))
        case let words where words.count == 2 && words[0] == "train":
            guard let workload = WorkloadName(rawValue: words[1]) else {
                let names = WorkloadName.allCases.map(\.rawValue)
                throw UsageError(
                    "unknown workload '\(words[1])'; workloads are "
                        + names.joined(separator: ", "))
            }
            try train(
                workload, workers: workers, steps: steps, asJSON: arguments.has("json"),
                profile: arguments.has("profile"), trace: arguments.text("trace"))
        default:
            throw UsageError("'rondo bench' takes 'train WORKLOAD' or 'allreduce'")
        }
        return 0
    }

    private static func work(_ coordinator: String, slot: Int) throws -> Int32 {
        Lifeline.watch { ProcessExit.atOnce(4) }
        try BenchWorker.run(
            coordinator: try SocketAddress.parse(coordinator), slot: slot,
            productVersion: ProductVersion.current)
        return 0
    }

    private static func train(
        _ workload: WorkloadName, workers: Int, steps: Int, asJSON: Bool, profile: Bool,
        trace: String?
    ) throws {
        let profilePath =
            profile || trace != nil
            ? FileManager.default.temporaryDirectory
                .appendingPathComponent("rondo-profile-\(UUID().uuidString)").path : nil
        defer { if let profilePath { try? FileManager.default.removeItem(atPath: profilePath) } }
        let plan = BenchPlan(
            .training(workload: workload.rawValue, steps: steps, warmup: warmupSteps),
            profilePath: profilePath)
        let (lead, finished) = try lead(plan, workers: workers)
        let times = lead.reports.map(\.seconds).sorted()
        guard times.count == steps, let samples = lead.reports.first?.sampleCount else {
            throw BenchError(description: "\(times.count) of \(steps) steps were reported")
        }
        let median = times[times.count / 2]
        let rate = Double(samples) / median
        let gigaflops = Double(workload.flopsPerReplica) / 1e9
        let computed = gigaflops / median
        let megabytes = Double(finished.peakResidentBytes) / 1_048_576
        if asJSON {
            Console.output(
                #"{"workload":"\#(workload.rawValue)","workers":\#(workers),"#
                    + String(
                        format: #""samples_per_s":%.1f,"ms_per_step":%.3f,"params":%d,"#
                            + #""peak_rss_mb":%.1f,"system_allocations":%d,"#
                            + #""gflop_per_step":%.4f,"gflop_per_s":%.2f,"#
                            + #""sgemm_peak_gflop_per_s":%.2f}"#,
                        rate, median * 1000, lead.parameterCount, megabytes,
                        lead.allocationCount, gigaflops, computed, lead.referenceRate))
        } else {
            Console.output(
                String(
                    format: "%@  %d workers  %.0f samples/s  %.2f ms/step (best %.2f, 95 %% %.2f)"
                        + "  %.1f GFLOP/s, %.0f %% of sgemm's %.1f"
                        + "  %d parameters  %.0f MB, %d allocations in the steps  OpenBLAS %@",
                    workload.rawValue, workers, rate, median * 1000, times[0] * 1000,
                    times[times.count * 95 / 100] * 1000, computed,
                    100 * computed / lead.referenceRate, lead.referenceRate, lead.parameterCount,
                    megabytes, lead.allocationCount, lead.arithmetic))
        }
        guard let profilePath else { return }
        let figures = try JSONDecoder().decode(
            StepProfile.self, from: Data(contentsOf: URL(fileURLWithPath: profilePath)))
        if profile { for line in ProfileReport.lines(figures) { Console.errorText(line) } }
        if let trace { try ProfileReport.writeTrace(figures, to: trace) }
    }

    private static func allReduce(workers: Int, asJSON: Bool) throws {
        let plan = BenchPlan(.allReduce(byteCounts: BenchPlan.allReduceByteCounts))
        let (lead, _) = try lead(plan, workers: workers)
        for report in lead.reports {
            let share = 2 * Double(workers - 1) / Double(workers)
            let bandwidth = share * Double(report.sampleCount) / report.seconds / 1e9
            Console.output(
                String(
                    format: asJSON
                        ? #"{"workers":%d,"transport":"tcp","bytes":%d,"us":%.1f,"busbw_gb_s":%.4f}"#
                        : "%d workers  tcp  %9d bytes  %10.1f us  %7.3f GB/s",
                    workers, report.sampleCount, report.seconds * 1e6, bandwidth))
        }
    }

    /// Starts the workers as children, leads them and waits for their end.
    private static func lead(_ plan: BenchPlan, workers: Int) throws -> (BenchLead, FinishedReport)
    {
        let lead = try BenchLead(plan, workers: workers)
        let ended = DispatchSemaphore(value: 0)
        var children: [ChildProcess] = []
        defer {
            for child in children { child.cutLifeline() }
            for _ in children { ended.wait() }
        }
        for slot in 0..<workers {
            children.append(
                try ChildProcess(
                    name: "worker \(slot)",
                    ChildProcess.Command(
                        executable: RunningProgram(name: "rondo").executable,
                        arguments: [
                            "rondo", "bench", "worker", "--coordinator=\(lead.address)",
                            "--slot=\(slot)",
                        ], environment: ProcessArithmetic.environment(threads: 1))
                ) { _, _ in ended.signal() })
        }
        return (lead, try lead.run())
    }
}
