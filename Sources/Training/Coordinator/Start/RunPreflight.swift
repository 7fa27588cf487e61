// Everything about a run that can be wrong is looked for before any worker starts: the data files
// by their headers, the model by its shapes, the number of workers by the replicas.

import Datasets
import ExitCodes
import Learning
import Models

/// More workers than replicas to share.
package struct WorkerCountError: ExitCoded, Equatable, Sendable, CustomStringConvertible {
    package let workers: Int
    package let replicas: Int

    package init(workers: Int, replicas: Int) {
        self.workers = workers
        self.replicas = replicas
    }

    package var exitCode: ExitCode { .usage }

    package var description: String {
        "\(workers) workers cannot share \(replicas) replica\(replicas == 1 ? "" : "s"); "
            + "use at most --workers \(replicas), or raise \"replicas\" in the configuration "
            + "(which changes the result)"
    }
}

/// What is known of a run before it begins.
package struct RunPreflight {
    package let outline: TaskOutline
    package let totalSteps: Int

    /// What is trained on and measured, for people.
    package var samples: String { outline.samples }
    package var plan: StepPlan { outline.plan }
    package var model: ModelOutline { outline.model }

    /// - Throws: `WorkerCountError`, or what is wrong with the data or the network.
    package init(_ configuration: RunConfiguration, workerCount: Int) throws {
        guard workerCount <= configuration.replicas else {
            throw WorkerCountError(workers: workerCount, replicas: configuration.replicas)
        }
        outline = try configuration.task.outline(configuration.context)
        totalSteps = configuration.totalSteps(stepsPerEpoch: outline.plan.stepsPerEpoch)
        // Parameter groups can only be checked against a built model.
        if !configuration.optimizer.groups.isEmpty {
            try ModelUpdate.check(UpdateRule(configuration.settings), of: try outline.network())
        }
    }
}
