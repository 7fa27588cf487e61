import Configuration
import NeuralNetworks

/// The mean of each window of an image, with zeros as padding.
struct AveragePool2dKind: LayerKind {
    static let name = "averagePool2d"
    static let keys = PoolingOptions.keys

    let options: PoolingOptions

    init(_ reader: ConfigurationReader) throws(ConfigurationError) {
        options = try PoolingOptions(reader)
    }

    var resolved: [String: ConfigurationValue] { options.resolved }

    func output(for context: LayerContext) throws(ModelError) -> FeatureShape {
        try options.output(for: context)
    }

    func layer(for context: LayerContext, stream: inout InitializationStream) -> any Layer {
        AveragePool2d(
            kernel: options.kernel.pair, stride: options.stride.pair,
            padding: options.padding.pair)
    }
}
