// Layers to and from the tree: which keys each type takes, their defaults and ranges.

extension LayerConfiguration {
    /// Residual blocks within residual blocks: deeper than any network needs, and a bound.
    private static let depthLimit = 8
    private static let countLimit = 10_000
    private static let sizes = 1...16_777_216
    private static let extents = 1...4096
    private static let paddings = 0...4096

    /// Reads a list of layers and checks that their names differ.
    package static func list(
        _ parent: ConfigurationReader, _ key: String, depth: Int
    ) throws(ConfigurationError) -> [LayerConfiguration]? {
        guard let values = try parent.list(key) else { return nil }
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
            let layer = try LayerConfiguration(value, parent.origin, path, depth: depth)
            let name = layer.effectiveName(at: position)
            if let first = positions.updateValue(position, forKey: name) {
                throw parent.conflict(
                    key, "layers \(first) and \(position) are both called \"\(name)\"")
            }
            layers.append(layer)
        }
        return layers
    }

    private static func keys(of type: LayerTypeName) -> [String] {
        switch type {
        case .linear: ["outputFeatures", "bias", "initializer"]
        case .conv2d:
            ["outputChannels", "kernel", "stride", "padding", "groups", "bias", "initializer"]
        case .maxPool2d, .averagePool2d: ["kernel", "stride", "padding"]
        case .batchNorm: ["momentum", "epsilon"]
        case .dropout: ["probability"]
        case .residual: ["layers", "shortcut"]
        case .embedding: ["width"]
        case .rnn: RecurrentStackOptions.keys + ["nonlinearity"]
        case .lstm, .gru: RecurrentStackOptions.keys
        case .transformer: TransformerBlockOptions.keys
        case .layerNorm: ["epsilon"]
        case .globalAveragePool, .relu, .tanh, .sigmoid, .flatten, .rows, .positions, .lastStep,
            .gelu:
            []
        }
    }

    private init(
        _ value: ConfigurationValue, _ origin: String, _ path: String, depth: Int
    ) throws(ConfigurationError) {
        let common = ["type", "name"]
        let every = Set(LayerTypeName.allCases.flatMap(Self.keys(of:))).sorted()
        let open = try ConfigurationReader(value, origin: origin, path: path, keys: common + every)
        let type = try open.required("type", "the kind of layer, for example \"linear\"") {
            reader, key throws(ConfigurationError) in try reader.name(key, LayerTypeName.self)
        }
        let reader = try ConfigurationReader(
            value, origin: origin, path: path, keys: common + Self.keys(of: type))
        let name = try reader.text("name")
        if let name { try Self.check(name, reader) }
        self.init(name: name, try Self.operation(type, reader, depth: depth))
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

    private static func operation(
        _ type: LayerTypeName, _ reader: ConfigurationReader, depth: Int
    ) throws(ConfigurationError) -> LayerOperation {
        switch type {
        case .linear:
            return .linear(
                outputFeatures: try features(reader), bias: try reader.bool("bias") ?? true,
                initializer: try reader.name("initializer") ?? .kaimingUniform)
        case .conv2d: return .conv2d(try convolution(reader))
        case .maxPool2d: return .maxPool2d(try pooling(reader))
        case .averagePool2d: return .averagePool2d(try pooling(reader))
        case .globalAveragePool: return .globalAveragePool
        case .batchNorm:
            return .batchNorm(
                momentum: try reader.number("momentum", .from(0, to: 1)) ?? 0.1,
                epsilon: try reader.number("epsilon", .positive) ?? 1e-5)
        case .relu: return .relu
        case .tanh: return .tanh
        case .sigmoid: return .sigmoid
        case .dropout:
            let probability = try reader.required("probability", "a number from 0 to below 1") {
                reader, key throws(ConfigurationError) in try reader.number(key, .fraction)
            }
            return .dropout(probability: probability)
        case .flatten: return .flatten
        case .rows: return .rows
        case .embedding:
            let width = try reader.required("width", "a whole number") {
                reader, key throws(ConfigurationError) in try reader.integer(key, sizes)
            }
            return .embedding(width: width)
        case .positions: return .positions
        case .rnn: return .rnn(try RecurrentStackOptions(reader))
        case .lstm: return .lstm(try RecurrentStackOptions(reader))
        case .gru: return .gru(try RecurrentStackOptions(reader))
        case .lastStep: return .lastStep
        case .transformer: return .transformer(try TransformerBlockOptions(reader))
        case .layerNorm:
            return .layerNorm(epsilon: try reader.number("epsilon", .positive) ?? 1e-5)
        case .gelu: return .gelu
        case .residual:
            guard let layers = try list(reader, "layers", depth: depth + 1), !layers.isEmpty else {
                throw reader.missing("layers", "a list of layers")
            }
            return .residual(
                layers: layers, shortcut: try list(reader, "shortcut", depth: depth + 1) ?? [])
        }
    }

    private static func features(
        _ reader: ConfigurationReader
    ) throws(ConfigurationError) -> FeatureCount {
        if case .string(let word) = reader.value("outputFeatures") {
            guard word == "outputs" else {
                throw reader.outOfRange(
                    "outputFeatures", "a whole number or \"outputs\"", "\"\(word)\"")
            }
            return .outputs
        }
        let count = try reader.required("outputFeatures", "a whole number") {
            reader, key throws(ConfigurationError) in try reader.integer(key, sizes)
        }
        return .count(count)
    }

    private static func kernel(_ reader: ConfigurationReader) throws(ConfigurationError) -> Extent {
        try reader.required("kernel", "a whole number or [height, width]") {
            reader, key throws(ConfigurationError) in try reader.extent(key, extents)
        }
    }

    private static func convolution(
        _ reader: ConfigurationReader
    ) throws(ConfigurationError) -> ConvolutionOptions {
        let channels = try reader.required("outputChannels", "a whole number") {
            reader, key throws(ConfigurationError) in try reader.integer(key, sizes)
        }
        let kernel = try kernel(reader)
        let stride = try reader.extent("stride", extents) ?? Extent(height: 1, width: 1)
        let padding: ConvolutionOptions.Padding
        if case .string(let word) = reader.value("padding") {
            guard word == "same" else {
                throw reader.outOfRange(
                    "padding", "a whole number, [height, width] or \"same\"", "\"\(word)\"")
            }
            guard stride == Extent(height: 1, width: 1) else {
                throw reader.conflict("padding", "\"same\" needs a stride of 1")
            }
            guard kernel.height % 2 == 1, kernel.width % 2 == 1 else {
                throw reader.conflict("padding", "\"same\" needs an odd kernel")
            }
            padding = .same
        } else {
            padding = .zeros(
                try reader.extent("padding", paddings) ?? Extent(height: 0, width: 0))
        }
        let groups = try reader.integer("groups", sizes) ?? 1
        guard channels % groups == 0 else {
            throw reader.conflict("groups", "\(groups) do not divide \(channels) output channels")
        }
        return ConvolutionOptions(
            outputChannels: channels, kernel: kernel, stride: stride, padding: padding,
            groups: groups, bias: try reader.bool("bias") ?? true,
            initializer: try reader.name("initializer") ?? .kaimingUniform)
    }

    private static func pooling(
        _ reader: ConfigurationReader
    ) throws(ConfigurationError) -> PoolingOptions {
        let kernel = try kernel(reader)
        let padding = try reader.extent("padding", paddings) ?? Extent(height: 0, width: 0)
        // PyTorch's rule: with more, a window could lie in the padding alone.
        guard padding.height <= kernel.height / 2, padding.width <= kernel.width / 2 else {
            throw reader.conflict("padding", "is more than half of the kernel")
        }
        return PoolingOptions(
            kernel: kernel, stride: try reader.extent("stride", extents) ?? kernel,
            padding: padding)
    }
}

extension LayerConfiguration {
    package var resolved: ConfigurationValue {
        var members: [String: ConfigurationValue] = [
            "type": .string(operation.typeName.rawValue)
        ]
        members["name"] = name.map { .string($0) }
        switch operation {
        case .linear(let outputFeatures, let bias, let initializer):
            members["outputFeatures"] = outputFeatures.resolved
            members["bias"] = .bool(bias)
            members["initializer"] = .string(initializer.rawValue)
        case .conv2d(let options):
            members["outputChannels"] = .integer(options.outputChannels)
            members["kernel"] = options.kernel.resolved
            members["stride"] = options.stride.resolved
            switch options.padding {
            case .same: members["padding"] = .string("same")
            case .zeros(let extent): members["padding"] = extent.resolved
            }
            members["groups"] = .integer(options.groups)
            members["bias"] = .bool(options.bias)
            members["initializer"] = .string(options.initializer.rawValue)
        case .maxPool2d(let options), .averagePool2d(let options):
            members["kernel"] = options.kernel.resolved
            members["stride"] = options.stride.resolved
            members["padding"] = options.padding.resolved
        case .batchNorm(let momentum, let epsilon):
            members["momentum"] = .number(momentum)
            members["epsilon"] = .number(epsilon)
        case .dropout(let probability):
            members["probability"] = .number(probability)
        case .residual(let layers, let shortcut):
            members["layers"] = .array(layers.map(\.resolved))
            members["shortcut"] = .array(shortcut.map(\.resolved))
        case .embedding(let width): members["width"] = .integer(width)
        case .rnn(let options):
            members.merge(options.members(nonlinearity: true)) { $1 }
        case .lstm(let options), .gru(let options):
            members.merge(options.members(nonlinearity: false)) { $1 }
        case .transformer(let options): members.merge(options.members) { $1 }
        case .layerNorm(let epsilon): members["epsilon"] = .number(epsilon)
        case .globalAveragePool, .relu, .tanh, .sigmoid, .flatten, .rows, .positions, .lastStep,
            .gelu:
            break
        }
        return .object(members)
    }
}
