import Autodiff

// Models are plain structs or classes whose properties are parameters, running statistics and other
// modules. Nothing is registered: names come from the property names, found by reflection once when
// a ParameterStore adopts the model.

/// A part of a model: something that holds parameters.
public protocol Module {
    /// The named parts, in the order of their parameters. By default the stored properties.
    var parts: [(name: String, value: Any)] { get }
}

extension Module {
    /// The stored properties, in the order of their declaration.
    public var parts: [(name: String, value: Any)] {
        Mirror(reflecting: self).children.compactMap { child in
            child.label.map { (name: $0, value: child.value) }
        }
    }
}

/// A module that maps one variable to another.
public protocol Layer: Module {
    /// The output for `x`, recorded on its tape.
    func callAsFunction(_ x: Variable) -> Variable

    /// The output for a batch that may be padded. By default the layer computes each position
    /// by itself, so it takes no notice of the lengths and passes them on.
    func callAsFunction(_ x: Features) -> Features

    /// This layer together with the first of those behind it, if that takes fewer runs over memory.
    /// The bits must be those of one layer after another; by default there is no such pass.
    func fused(with following: ArraySlice<any Layer>) -> FusedLayers?
}

extension Layer {
    /// The values alone, with the same lengths.
    public func callAsFunction(_ x: Features) -> Features {
        Features(self(x.values), lengths: x.lengths)
    }

    /// None.
    public func fused(with following: ArraySlice<any Layer>) -> FusedLayers? { nil }
}

/// One forward pass of several layers.
public struct FusedLayers {
    /// How many layers behind the first are part of the pass.
    public let followingCount: Int
    /// The pass.
    public let pass: (Variable) -> Variable

    /// - Parameter followingCount: the layers behind the first, at least one.
    public init(followingCount: Int, pass: @escaping (Variable) -> Variable) {
        precondition(followingCount > 0, "a pass of one layer is no fused one")
        self.followingCount = followingCount
        self.pass = pass
    }
}

/// A parameter or a statistic with its name in PyTorch's `state_dict`, such as `conv1.weight`.
public enum NamedState {
    /// A trained tensor.
    case parameter(name: String, Parameter)
    /// A running statistic.
    case statistic(name: String, RunningStatistic)
}

extension Module {
    /// All parameters and statistics below this module, in order, each once.
    public var namedStates: [NamedState] {
        var states: [NamedState] = []
        collect(parts, prefix: "", into: &states)
        return states
    }
}

extension Module {
    /// The number of trained scalars; a parameter under two names counts once.
    package var scalarCount: Int {
        var counted: Set<ObjectIdentifier> = []
        return namedStates.reduce(0) { count, state in
            guard case .parameter(_, let parameter) = state,
                counted.insert(ObjectIdentifier(parameter)).inserted
            else { return count }
            return count + parameter.shape.count
        }
    }
}

private func collect(
    _ parts: [(name: String, value: Any)], prefix: String, into states: inout [NamedState]
) {
    for (name, value) in parts {
        let path = prefix.isEmpty ? name : prefix + "." + name
        switch value {
        case let parameter as Parameter:
            states.append(.parameter(name: snakeCase(path), parameter))
        case let statistic as RunningStatistic:
            states.append(.statistic(name: snakeCase(path), statistic))
        case let module as any Module:
            collect(module.parts, prefix: path, into: &states)
        case let list as [Any]:
            let numbered = list.enumerated().map { (name: String($0.offset), value: $0.element) }
            collect(numbered, prefix: path, into: &states)
        default:
            // An optional part: Mirror shows its content as the only child.
            let mirror = Mirror(reflecting: value)
            if mirror.displayStyle == .optional, let content = mirror.children.first {
                collect([(name, content.value)], prefix: prefix, into: &states)
            }
        }
    }
}

/// `runningMean` -> `running_mean` in the last component; layer names stay as they are.
private func snakeCase(_ path: String) -> String {
    let cut = path.lastIndex(of: ".").map { path.index(after: $0) } ?? path.startIndex
    let last = path[cut...].map { $0.isUppercase ? "_" + $0.lowercased() : String($0) }
    return path[..<cut] + last.joined()
}
