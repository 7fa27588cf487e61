import Configuration
import Kernels
import NeuralNetworks

/// A convolution over images.
struct Conv2dKind: LayerKind {
    static let name = "conv2d"
    static let keys = [
        "outputChannels", "kernel", "stride", "padding", "dilation", "groups", "bias",
        "initializer",
    ]

    let kernel: Extent
    let stride: Extent
    let padding: Extent
    /// Whether the padding is written "same": as much as keeps the size of the image.
    let keepsSize: Bool
    /// The distance of the kernel's taps.
    let dilation: Extent
    let common: ConvolutionOptions

    init(_ reader: ConfigurationReader) throws(ConfigurationError) {
        let channels = try ConvolutionOptions.outputChannels(reader)
        kernel = try reader.kernel()
        stride = try reader.extent("stride", extentRange) ?? Extent(1)
        dilation = try reader.extent("dilation", extentRange) ?? Extent(1)
        keepsSize = try ConvolutionOptions.padsToSameSize(reader, pair: "[height, width]")
        if keepsSize {
            try ConvolutionOptions.checkSame(
                reader, stride: [stride.height, stride.width],
                kernel: [kernel.height, kernel.width])
            padding = Extent(
                height: dilatedExtent(kernel.height, dilation.height) / 2,
                width: dilatedExtent(kernel.width, dilation.width) / 2)
        } else {
            padding = try reader.extent("padding", paddingRange) ?? Extent(0)
        }
        common = try ConvolutionOptions(reader, outputChannels: channels)
    }

    var resolved: [String: ConfigurationValue] {
        common.resolved.merging([
            "kernel": kernel.resolved, "stride": stride.resolved,
            "padding": keepsSize ? .string("same") : padding.resolved,
            "dilation": dilation.resolved,
        ]) { $1 }
    }

    func output(for context: LayerContext) throws(ModelError) -> FeatureShape {
        let (channels, _, _) = try context.image()
        try common.checkGroups(inputChannels: channels, context)
        let window = try context.window(
            kernel: .init(
                dilatedExtent(kernel.height, dilation.height),
                dilatedExtent(kernel.width, dilation.width)),
            stride: stride.pair, padding: padding.pair)
        return .image(
            channels: common.outputChannels, height: window.outputHeight,
            width: window.outputWidth)
    }

    func layer(
        for context: LayerContext, stream: inout InitializationStream
    ) throws(ModelError) -> any Layer {
        Conv2d(
            try context.image().channels, common.outputChannels, kernel: kernel.pair,
            stride: stride.pair, padding: padding.pair, dilation: dilation.pair,
            groups: common.groups, bias: common.bias,
            initializer: common.initializer.initializer, tile: context.tile, stream: &stream)
    }
}
