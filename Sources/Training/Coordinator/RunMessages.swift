// The lines that a run's recorder writes to the log and the screen.

import Learning
import Rendezvous

enum RunMessages {
    static func joined(_ worker: WorkerDescription) -> String {
        "worker \(worker.slot) joined: process \(worker.processID) on "
            + "\(worker.hostName), arithmetic \(worker.arithmetic)"
    }

    static func wentBack(from reportedStep: Int, to step: Int) -> String {
        "going back from step \(reportedStep) to step \(step): no worker has"
            + " a later state"
    }

    static func opened(_ generation: GenerationDescription) -> String {
        "generation \(generation.number) opened from step \(generation.startStep), transfer of"
            + " \(generation.transfer.rawValue)"
    }

    static func dealChanged(_ generation: GenerationDescription) -> String {
        let shares = zip(generation.workers, generation.deal.ranges).map { worker, range in
            "worker \(worker.slot) \(range.count)"
        }
        return "replicas follow the workers' speed from step \(generation.startStep): "
            + shares.joined(separator: ", ")
    }

    /// - Parameter threads: how many each worker computes with.
    static func running(
        _ generation: GenerationDescription, pause: Duration?, threads: Int
    ) -> String {
        let deal = generation.deal.ranges.map { "\($0.lowerBound)-\($0.upperBound - 1)" }
        let hosts = Set(generation.workers.map(\.hostName)).sorted().joined(separator: ", ")
        var text =
            "generation \(generation.number): \(generation.workers.count) "
            + "worker\(generation.workers.count == 1 ? "" : "s") on \(hosts), "
            + "replicas \(deal.joined(separator: ", ")), from step \(generation.startStep); "
        if let pause {
            text += "paused for \(ProgressText.fixed(pause / .seconds(1), 2)) s"
            if generation.recomputedCount > 0 {
                text += ", \(generation.recomputedCount) replicas computed again"
            }
        } else {
            text +=
                "OpenBLAS \(generation.arithmetic), \(threads) thread\(threads == 1 ? "" : "s") "
                + "per worker"
        }
        return text
    }
}
