import Configuration
import Foundation
import Models

/// The network of a whole configuration's text.
func modelConfiguration(_ text: String) throws -> ModelConfiguration {
    let file = try ConfigurationFile(Data(text.utf8), origin: "test")
    return try ModelConfiguration(
        ConfigurationReader(
            file.tree, origin: "test", path: "", keys: RunSettings.keys + ["data", "model"]))
}
