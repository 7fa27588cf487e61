import Configuration
import Kernels
import NeuralNetworks

/// The adjoint of a convolution over images: it enlarges them by the stride.
struct ConvTranspose2dKind: LayerKind {
    static let name = "convTranspose2d"
    static let keys = [
        "outputChannels", "kernel", "stride", "padding", "outputPadding", "groups", "bias",
        "initializer",
    ]

    let kernel: Extent
    let stride: Extent
    let padding: Extent
    /// Rows and columns that are added at the end of the output.
    let outputPadding: Extent
    let common: ConvolutionOptions

    init(_ reader: ConfigurationReader) throws(ConfigurationError) {
        let channels = try ConvolutionOptions.outputChannels(reader)
        kernel = try reader.kernel()
        stride = try reader.extent("stride", extentRange) ?? Extent(1)
        padding = try reader.extent("padding", paddingRange) ?? Extent(0)
        outputPadding = try reader.extent("outputPadding", paddingRange) ?? Extent(0)
        guard outputPadding.height < stride.height, outputPadding.width < stride.width else {
            throw reader.conflict("outputPadding", "is not below the stride")
        }
        common = try ConvolutionOptions(reader, outputChannels: channels)
    }

    var resolved: [String: ConfigurationValue] {
        common.resolved.merging([
            "kernel": kernel.resolved, "stride": stride.resolved, "padding": padding.resolved,
            "outputPadding": outputPadding.resolved,
        ]) { $1 }
    }

    func output(for context: LayerContext) throws(ModelError) -> FeatureShape {
        let (channels, height, width) = try context.image()
        try common.checkGroups(inputChannels: channels, context)
        let outputHeight =
            (height - 1) * stride.height - 2 * padding.height + kernel.height
            + outputPadding.height
        let outputWidth =
            (width - 1) * stride.width - 2 * padding.width + kernel.width + outputPadding.width
        // The convolution back has to give the input's size.
        let back = ImageWindow(
            height: outputHeight, width: outputWidth, channels: common.outputChannels,
            kernel: kernel.pair, stride: stride.pair, padding: padding.pair)
        guard back?.outputHeight == height, back?.outputWidth == width else {
            throw context.failure(
                "nothing is left of its input \(context.input) with padding"
                    + " \(padding.height)x\(padding.width) and a kernel of"
                    + " \(kernel.height)x\(kernel.width)")
        }
        return .image(
            channels: common.outputChannels, height: outputHeight, width: outputWidth)
    }

    func layer(
        for context: LayerContext, stream: inout InitializationStream
    ) throws(ModelError) -> any Layer {
        ConvTranspose2d(
            try context.image().channels, common.outputChannels, kernel: kernel.pair,
            stride: stride.pair, padding: padding.pair, outputPadding: outputPadding.pair,
            groups: common.groups, bias: common.bias,
            initializer: common.initializer.initializer, stream: &stream)
    }
}
