import Configuration
import NeuralNetworks

/// The largest value of each window of an image.
struct MaxPool2dKind: LayerKind {
    static let name = "maxPool2d"
    static let keys = PoolingOptions.keys

    let options: PoolingOptions

    init(_ reader: ConfigurationReader) throws(ConfigurationError) {
        options = try PoolingOptions(reader)
    }

    var resolved: [String: ConfigurationValue] { options.resolved }

    func output(for context: LayerContext) throws(ModelError) -> FeatureShape {
        // The position of the largest value within the window is kept in a byte.
        guard options.kernel.height * options.kernel.width <= 256 else {
            throw context.failure("a kernel of more than 256 positions is not supported")
        }
        return try options.output(for: context)
    }

    func layer(for context: LayerContext, stream: inout InitializationStream) -> any Layer {
        MaxPool2d(
            kernel: options.kernel.pair, stride: options.stride.pair,
            padding: options.padding.pair)
    }
}
