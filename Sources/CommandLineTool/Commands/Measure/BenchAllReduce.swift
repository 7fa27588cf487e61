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

    func run(_ fleet: BenchFleet) throws {
        let plan = BenchPlan(.allReduce(byteCounts: byteCounts), transport: fleet.transport)
        let (lead, _) = try fleet.lead(plan)
        let workers = fleet.workerCount
        for report in lead.reports {
            let share = 2 * Double(workers - 1) / Double(workers)
            let bandwidth = share * Double(report.sampleCount) / report.seconds / 1e9
            Console.output(
                String(
                    format: fleet.writesJSON
                        ? #"{"workers":%d,"transport":"%@","bytes":%d,"us":%.1f,"busbw_gb_s":%.4f}"#
                        : "%d workers  %@  %9d bytes  %10.1f us  %7.3f GB/s",
                    workers, fleet.transport.rawValue, report.sampleCount, report.seconds * 1e6,
                    bandwidth))
        }
    }
}
