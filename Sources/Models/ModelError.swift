import ExitCodes

/// A layer of the configuration that cannot take what the layer before it gives.
package struct ModelError: ExitCoded, Equatable, CustomStringConvertible {
    /// The place in the configuration, such as `model.layers.3`.
    package let path: String
    /// The layer's type and name.
    package let layer: String
    package let problem: String

    package init(path: String, layer: String, problem: String) {
        self.path = path
        self.layer = layer
        self.problem = problem
    }

    package var description: String { "\(path) (\(layer)): \(problem)" }
    package var exitCode: ExitCode { .usage }
}
