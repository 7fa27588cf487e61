import Autodiff

extension Module {
    /// Makes constants of the parameters below this module whose names the condition accepts.
    ///
    /// - Parameter isIncluded: gets names as `namedStates` has them; all parameters by default.
    /// Freeze before a ParameterStore adopts the model: see `Parameter.isFrozen`. Running
    /// statistics are not affected, they go on averaging in training.
    public func freeze(where isIncluded: (_ name: String) -> Bool = { _ in true }) {
        for case .parameter(let name, let parameter) in namedStates where isIncluded(name) {
            parameter.isFrozen = true
        }
    }
}
