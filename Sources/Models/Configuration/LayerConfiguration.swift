import Configuration

// Layers to and from the tree of a configuration: the list with its names. The keys of a layer are
// those of its kind.

/// One layer: an optional name and what it does.
package struct LayerConfiguration: Sendable, Equatable {
    /// The part of a parameter's name that stands for this layer; nil: its position in the list.
    package var name: String?
    package var kind: any LayerKind

    package init(name: String? = nil, _ kind: any LayerKind) {
        self.name = name
        self.kind = kind
    }

    /// The name in effect at `position` of the list (PyTorch's Sequential counts the same way).
    package func effectiveName(at position: Int) -> String { name ?? "\(position)" }

    /// The `type` as it is written.
    package var type: String { Swift.type(of: kind).name }

    package var resolved: ConfigurationValue {
        var members = kind.resolved
        members["type"] = .string(type)
        members["name"] = name.map { .string($0) }
        return .object(members)
    }

    /// Two layers are the same if they are written the same.
    package static func == (left: LayerConfiguration, right: LayerConfiguration) -> Bool {
        left.resolved == right.resolved
    }
}

extension LayerConfiguration {
    /// Residual blocks within residual blocks: a bound that no network needs to pass.
    private static let depthLimit = 8
    private static let countLimit = 10_000

    /// Reads a list of layers and checks that their names differ.
    package static func list(
        _ parent: ConfigurationReader, _ key: String
    ) throws(ConfigurationError) -> [LayerConfiguration]? {
        guard let values = try parent.list(key) else { return nil }
        // A list within a list has the position of its layer in its path.
        let depth = parent.path.split(separator: ".").count { Int($0) != nil }
        guard depth <= depthLimit else {
            throw parent.conflict(key, "residual blocks are nested more than \(depthLimit) deep")
        }
        guard values.count <= countLimit else {
            throw parent.outOfRange(key, "at most \(countLimit) layers", "\(values.count)")
        }
        var layers: [LayerConfiguration] = []
        var positions: [String: Int] = [:]
        for (position, value) in values.enumerated() {
            let path = "\(parent.path(key)).\(position)"
            let layer = try LayerConfiguration(value, parent.origin, path)
            let name = layer.effectiveName(at: position)
            if let first = positions.updateValue(position, forKey: name) {
                throw parent.conflict(
                    key, "layers \(first) and \(position) are both called \"\(name)\"")
            }
            layers.append(layer)
        }
        return layers
    }

    private init(
        _ value: ConfigurationValue, _ origin: String, _ path: String
    ) throws(ConfigurationError) {
        let common = ["type", "name"]
        let every = Set(LayerCatalog.kinds.flatMap { $0.keys }).sorted()
        let open = try ConfigurationReader(value, origin: origin, path: path, keys: common + every)
        let kind = try Self.kind(open)
        let reader = try ConfigurationReader(
            value, origin: origin, path: path, keys: common + kind.keys)
        let name = try reader.text("name")
        if let name { try Self.check(name, reader) }
        self.init(name: name, try kind.init(reader))
    }

    private static func kind(
        _ reader: ConfigurationReader
    ) throws(ConfigurationError) -> any LayerKind.Type {
        guard let name = try reader.text("type") else {
            throw reader.missing("type", "the kind of layer, for example \"linear\"")
        }
        if let kind = LayerCatalog.kinds.first(where: { $0.name == name }) { return kind }
        let known = LayerCatalog.kinds.map { $0.name }
        throw reader.error(
            .unknownName(
                path: reader.path("type"), got: name,
                suggestion: Suggestion.nearest(to: name, among: known), known: known))
    }

    private static func check(
        _ name: String, _ reader: ConfigurationReader
    ) throws(ConfigurationError) {
        let usable = name.unicodeScalars.allSatisfy { scalar in
            scalar == "_" || (scalar.isASCII && scalar.properties.isAlphabetic)
                || ("0"..."9").contains(scalar)
        }
        guard usable, name != "shortcut" else {
            throw reader.outOfRange(
                "name", "made of letters, digits and \"_\", and not \"shortcut\"", "\"\(name)\"")
        }
    }
}
