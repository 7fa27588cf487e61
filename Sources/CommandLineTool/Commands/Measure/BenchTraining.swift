import Benchmarks
import Foundation
import Models
import Configuration
import RunProcesses
import Training

/// `rondo bench train WORKLOAD`.
struct BenchTraining {
    private static let warmupSteps = 5

    private let workload: WorkloadName
    private let steps: Int
    private let gradients: GradientNumbers
    private let printsProfile: Bool
    private let tracePath: String?

    init(_ name: String, _ arguments: ParsedArguments) throws {
        guard let workload = WorkloadName(rawValue: name) else {
            let names = WorkloadName.allCases.map(\.rawValue)
            throw UsageError(
                "unknown workload '\(name)'; workloads are " + names.joined(separator: ", "))
        }
        self.workload = workload
        steps = try arguments.integer("steps", in: BenchPlan.stepCounts) ?? 40
        gradients = try arguments.name("gradients") ?? .float32
        printsProfile = arguments.has("profile")
        tracePath = arguments.text("trace")
        if printsProfile || tracePath != nil, arguments.has("listen") {
            throw UsageError("only workers on this machine can be profiled: leave --listen out")
        }
        // Fail before the measurement, not after it.
        if let tracePath, let reason = Self.obstacle(toWriting: tracePath) {
            throw UsageError("--trace: cannot write \(tracePath): \(reason)")
        }
    }

    /// Why a file cannot be written; nil if it can.
    private static func obstacle(toWriting path: String) -> String? {
        let descriptor = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0o644)
        guard descriptor >= 0 else { return String(cString: strerror(errno)) }
        close(descriptor)
        return nil
    }

    func run(_ workers: BenchWorkers) throws {
        let profilePath =
            printsProfile || tracePath != nil
            ? FileManager.default.temporaryDirectory
                .appendingPathComponent("rondo-profile-\(UUID().uuidString)").path : nil
        defer { if let profilePath { try? FileManager.default.removeItem(atPath: profilePath) } }
        let plan = BenchPlan(
            .training(workload: workload.rawValue, steps: steps, warmup: Self.warmupSteps),
            transport: workers.transport, gradients: gradients, profilePath: profilePath)
        let (lead, finished) = try workers.run(plan)
        let workerCount = workers.workerCount
        let times = lead.reports.map(\.seconds).sorted()
        guard times.count == steps, let samples = lead.reports.first?.sampleCount else {
            throw BenchError(description: "\(times.count) of \(steps) steps were reported")
        }
        let median = times[times.count / 2]
        let rate = Double(samples) / median
        let gigaflops = Double(workload.flopsPerReplica) / 1e9
        let computed = gigaflops / median
        let megabytes = Double(finished.peakResidentBytes) / 1_048_576
        if workers.writesJSON {
            Console.output(
                #"{"workload":"\#(workload.rawValue)","workers":\#(workerCount),"#
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
                    workload.rawValue, workerCount, rate, median * 1000, times[0] * 1000,
                    times[times.count * 95 / 100] * 1000, computed,
                    100 * computed / lead.referenceRate, lead.referenceRate, lead.parameterCount,
                    megabytes, lead.allocationCount, lead.arithmetic))
        }
        guard let profilePath else { return }
        let figures = try JSONDecoder().decode(
            StepProfile.self, from: Data(contentsOf: URL(fileURLWithPath: profilePath)))
        if printsProfile { for line in ProfileReport.lines(figures) { Console.errorText(line) } }
        if let tracePath { try ProfileReport.writeTrace(figures, to: tracePath) }
    }
}
