import Configuration
import NeuralNetworks

/// y = x W^T + b, for a vector or for each step of a sequence.
struct LinearKind: PositionwiseKind {
    static let name = "linear"
    static let keys = ["outputFeatures", "bias", "initializer"]

    /// nil, written "outputs": as many as the task has classes or symbols.
    let outputFeatures: Int?
    let bias: Bool
    let initializer: InitializerName

    init(_ reader: ConfigurationReader) throws(ConfigurationError) {
        if case .string(let text) = reader.value("outputFeatures") {
            guard text == "outputs" else {
                throw reader.outOfRange(
                    "outputFeatures", "a whole number or \"outputs\"", "\"\(text)\"")
            }
            outputFeatures = nil
        } else {
            outputFeatures = try reader.requiredInteger("outputFeatures", sizeRange)
        }
        bias = try reader.bool("bias") ?? true
        initializer = try reader.name("initializer") ?? .kaimingUniform
    }

    var resolved: [String: ConfigurationValue] {
        [
            "outputFeatures": outputFeatures.map { .integer($0) } ?? .string("outputs"),
            "bias": .bool(bias), "initializer": .string(initializer.rawValue),
        ]
    }

    func output(for context: LayerContext) throws(ModelError) -> FeatureShape {
        _ = try inputFeatures(context)
        return context.input.with(features: outputFeatures ?? context.outputs)
    }

    func layer(
        for context: LayerContext, stream: inout InitializationStream
    ) throws(ModelError) -> any Layer {
        Linear(
            try inputFeatures(context), outputFeatures ?? context.outputs, bias: bias,
            initializer: initializer.initializer, stream: &stream)
    }

    private func inputFeatures(_ context: LayerContext) throws(ModelError) -> Int {
        if let features = context.input.vector ?? context.input.sequence?.features {
            return features
        }
        throw context.needs(
            "a vector",
            hint: context.input.image == nil
                ? "; put an embedding before it" : "; put a flatten layer before it")
    }
}
