import Checkpoints
import Configuration
import Foundation
import NeuralNetworks

/// A run's folder, read back to use its model.
package struct FinishedRun {
    package let folder: String
    /// The resolved configuration that the run was started with; its data may have been moved.
    package var configuration: RunConfiguration
    private let tasks: TaskList

    package init(_ folder: String, tasks: TaskList) throws(ConfigurationError) {
        self.folder = folder
        self.tasks = tasks
        configuration = try RunConfiguration.load(path: "\(folder)/config.json", tasks: tasks)
    }

    /// The uses of the run's task.
    package var uses: [any ModelUse.Type] {
        tasks.kinds.first { $0.name == configuration.taskName }?.uses ?? []
    }

    /// What the task is given.
    package var context: RunContext { configuration.context }

    /// The run's final weights, into a network with its names and shapes.
    /// - Throws: `CheckpointError`, `StateMismatch`.
    package func load(into network: any Module) throws {
        let name = TrainedModel.modelFileName
        let file = try SafetensorsReader.read(path: "\(folder)/\(name)")
        try network.load(file, fileName: name)
    }

    /// The same run with its data elsewhere: in another folder, or in another file where there is
    /// only one.
    package func withData(at path: String) -> FinishedRun {
        var isFolder: ObjCBool = false
        let exists = FileManager.default.fileExists(atPath: path, isDirectory: &isFolder)
        var copy = self
        var data = configuration.task.data
        if data.paths.count == 1, exists, !isFolder.boolValue {
            data.paths = [path]
        } else {
            data = data.relocated(toFolder: path)
        }
        copy.configuration.task.data = data
        return copy
    }

    /// Measures the run's model in this process.
    /// - Returns: the sums of the task's evaluation.
    package func evaluate(_ scope: EvaluationScope = .test) throws -> [Double] {
        try configuration.task.evaluation(of: self, scope).total()
    }
}
