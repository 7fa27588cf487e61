import Benchmarks
import Foundation
import RunProcesses
import Training

/// `rondo bench allreduce`.
struct BenchAllReduce {
    private let byteCounts: [Int]

    init(_ arguments: ParsedArguments) throws {
        let sizes = BenchPlan.allReduceByteCounts
        let largest = try arguments.integer("largest", in: sizes[0]...Int.max) ?? .max
        byteCounts = sizes.filter { $0 <= largest }
    }

    func run(_ workers: BenchWorkers) throws {
        let plan = BenchPlan(.allReduce(byteCounts: byteCounts), transport: workers.transport)
        let (lead, _) = try workers.run(plan)
        let workerCount = workers.workerCount
        for report in lead.reports {
            let share = 2 * Double(workerCount - 1) / Double(workerCount)
            let bandwidth = share * Double(report.sampleCount) / report.seconds / 1e9
            Console.output(
                String(
                    format: workers.writesJSON
                        ? #"{"workers":%d,"transport":"%@","bytes":%d,"us":%.1f,"busbw_gb_s":%.4f}"#
                        : "%d workers  %@  %9d bytes  %10.1f us  %7.3f GB/s",
                    workerCount, workers.transport.rawValue, report.sampleCount,
                    report.seconds * 1e6,
                    bandwidth))
        }
    }
}
