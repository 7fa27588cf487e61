// The smallest valid configuration, for tests to change one thing of.

import Foundation
import Configuration
import Learning
import TaskCatalog

let tasks = TaskList(allTasks)

let minimalText = """
    {
      replicas: 2, batchSize: 8, epochs: 3,
      data: { directory: "/data" },
      model: { layers: [
        { type: "flatten" },
        { type: "linear", name: "output", outputFeatures: 10 },
      ] },
      optimizer: { type: "sgd", learningRate: 0.1 },
    }
    """

func parse(
    _ text: String = minimalText, _ overrides: String...
) throws(ConfigurationError) -> RunConfiguration {
    try RunConfiguration.parse(
        Data(text.utf8), origin: "run.json", defaultName: "run", overrides: overrides,
        tasks: tasks)
}

/// A value of the resolved configuration by its path: "model.layers.0.type".
func value(_ path: String, of configuration: RunConfiguration) -> ConfigurationValue? {
    path.split(separator: ".").reduce(Optional(configuration.resolved)) { value, key in
        switch value {
        case .object(let members): members[String(key)]
        case .array(let elements):
            Int(key).flatMap { elements.indices.contains($0) ? elements[$0] : nil }
        default: nil
        }
    }
}

/// The one line a user sees, or "no error".
func message(_ text: String = minimalText, _ overrides: [String] = []) -> String {
    do {
        _ = try RunConfiguration.parse(
            Data(text.utf8), origin: "run.json", overrides: overrides, tasks: tasks)
        return "no error"
    } catch {
        return "\(error)"
    }
}
