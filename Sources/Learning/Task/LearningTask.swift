// The joint at which Rondo grows. A task is what a run can learn: its part of the configuration,
// its data and networks, its figures and its uses. Each is a target and a folder under
// Sources/Tasks; the list of all is in TaskCatalog, and is handed down from there as a value.
// Nothing below a task names a single one.

import Configuration
import Datasets
import Models
import NeuralNetworks

/// What a run can learn.
package protocol LearningTask: Sendable {
    /// The value of the key `task`.
    static var name: String { get }
    /// In which the task's data may lie. A configuration without `task` is of the first task in the
    /// catalog that has its format.
    static var formats: [any DataFormat.Type] { get }
    /// The members of a configuration that belong to the task.
    static var keys: [String] { get }
    /// The names that `TaskOutline.files` may have.
    static var fileNames: [String] { get }
    /// What can be done with the model of a finished run.
    static var uses: [any ModelUse.Type] { get }

    /// Reads the task's members from a whole configuration.
    init(_ configuration: ConfigurationReader) throws(ConfigurationError)
    /// The task's members with every default written out, without `task`.
    var resolved: [String: ConfigurationValue] { get }
    /// Where the data are and how they lie there.
    var data: any DataFormat { get set }
    /// What is summed and what is shown of it.
    var metrics: Metrics { get }

    /// What is known before any worker starts, from headers where they suffice.
    /// - Throws: what is wrong with the data or the network.
    func outline(_ run: RunContext) throws -> TaskOutline
    /// Reads the data and builds the networks.
    func load(_ run: RunContext) throws -> any TrainingTask
    /// Measures a finished run's model.
    /// - Throws: `UnsuitableRun` where `scope` makes no sense; what reading data and model throws.
    func evaluation(of run: FinishedRun, _ scope: EvaluationScope) throws -> any SharedWork
}

extension LearningTask {
    package static var keys: [String] { ["data", "model"] }
    package static var fileNames: [String] { [] }
    package static var uses: [any ModelUse.Type] { [] }
}

/// How much of the data an evaluation reads.
package enum EvaluationScope: Sendable {
    /// The part that the run was measured on.
    case test
    /// All of a text.
    case whole
}

/// What a task needs of its run.
package struct RunContext: Sendable {
    package let settings: RunSettings
    /// The network of a program that uses the library; nil for a configured one.
    package let customNetwork: CustomNetwork?

    package init(settings: RunSettings, customNetwork: CustomNetwork? = nil) {
        self.settings = settings
        self.customNetwork = customNetwork
    }

    /// The steps of an epoch of `sampleCount` samples.
    package func stepPlan(
        dataName: String, sampleCount: Int, lastBatch: StepPlan.LastBatch
    ) throws(DataError) -> StepPlan {
        try StepPlan(
            dataName: dataName, sampleCount: sampleCount, replicas: settings.replicas,
            accumulation: settings.accumulation, batchSize: settings.batchSize,
            lastBatch: lastBatch)
    }
}

/// What is known of a run before it begins.
package struct TaskOutline {
    /// What is trained on and measured: "60000 training and 10000 test images".
    package let samples: String
    package let plan: StepPlan
    /// Parameters of each part of the network.
    package let model: ModelOutline
    /// Kept in the run's folder beside the weights.
    package let files: [RunFile]
    /// Builds the network, for what only the built one can tell.
    package let network: () throws -> any Module

    package init(
        samples: String, plan: StepPlan, model: ModelOutline, files: [RunFile] = [],
        network: @escaping () throws -> any Module
    ) {
        self.samples = samples
        self.plan = plan
        self.model = model
        self.files = files
        self.network = network
    }
}
