import Configuration
import Kernels

/// The options that pools share.
struct PoolingOptions: Sendable {
    static let keys = ["kernel", "stride", "padding"]

    let kernel: Extent
    let stride: Extent
    let padding: Extent

    init(_ reader: ConfigurationReader) throws(ConfigurationError) {
        kernel = try reader.kernel()
        padding = try reader.extent("padding", paddingRange) ?? Extent(0)
        // PyTorch's rule: with more, a window could lie in the padding alone.
        guard padding.height <= kernel.height / 2, padding.width <= kernel.width / 2 else {
            throw reader.conflict("padding", "is more than half of the kernel")
        }
        stride = try reader.extent("stride", extentRange) ?? kernel
    }

    var resolved: [String: ConfigurationValue] {
        ["kernel": kernel.resolved, "stride": stride.resolved, "padding": padding.resolved]
    }

    func output(for context: LayerContext) throws(ModelError) -> FeatureShape {
        let window = try context.window(
            kernel: kernel.pair, stride: stride.pair, padding: padding.pair)
        return .image(
            channels: window.channels, height: window.outputHeight, width: window.outputWidth)
    }
}
