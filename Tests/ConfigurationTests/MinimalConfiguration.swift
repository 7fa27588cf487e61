// The smallest valid configuration, for tests to change one thing of.

import Foundation
import Configuration
import Learning

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
        Data(text.utf8), origin: "run.json", defaultName: "run", overrides: overrides)
}

/// The one line a user sees, or "no error".
func message(_ text: String = minimalText, _ overrides: [String] = []) -> String {
    do {
        _ = try RunConfiguration.parse(Data(text.utf8), origin: "run.json", overrides: overrides)
        return "no error"
    } catch {
        return "\(error)"
    }
}
