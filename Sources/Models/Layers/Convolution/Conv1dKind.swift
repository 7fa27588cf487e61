import Configuration
import Kernels
import NeuralNetworks

/// A convolution over the steps of sequences.
struct Conv1dKind: LayerKind {
    static let name = "conv1d"
    static let keys = [
        "outputChannels", "kernel", "stride", "padding", "dilation", "groups", "bias",
        "initializer",
    ]

    let kernel: Int
    let stride: Int
    let padding: Int
    /// Whether the padding is written "same": as much as keeps the number of steps.
    let keepsSize: Bool
    /// The distance of the kernel's taps.
    let dilation: Int
    let common: ConvolutionOptions

    init(_ reader: ConfigurationReader) throws(ConfigurationError) {
        let channels = try ConvolutionOptions.outputChannels(reader)
        kernel = try reader.requiredInteger("kernel", extentRange)
        stride = try reader.integer("stride", extentRange) ?? 1
        dilation = try reader.integer("dilation", extentRange) ?? 1
        keepsSize = try ConvolutionOptions.padsToSameSize(reader, pair: nil)
        if keepsSize {
            try ConvolutionOptions.checkSame(reader, stride: [stride], kernel: [kernel])
            padding = dilatedExtent(kernel, dilation) / 2
        } else {
            padding = try reader.integer("padding", paddingRange) ?? 0
        }
        common = try ConvolutionOptions(reader, outputChannels: channels)
    }

    var resolved: [String: ConfigurationValue] {
        common.resolved.merging([
            "kernel": .integer(kernel), "stride": .integer(stride),
            "padding": keepsSize ? .string("same") : .integer(padding),
            "dilation": .integer(dilation),
        ]) { $1 }
    }

    func output(for context: LayerContext) throws(ModelError) -> FeatureShape {
        let (length, features) = try context.sequence()
        try common.checkGroups(inputChannels: features, context)
        let spread = dilatedExtent(kernel, dilation)
        guard length + 2 * padding >= spread else {
            throw context.failure(
                "a kernel of \(spread) steps does not fit on its input \(context.input) with"
                    + " padding \(padding)")
        }
        return .sequence(
            length: (length + 2 * padding - spread) / stride + 1, features: common.outputChannels)
    }

    func layer(
        for context: LayerContext, stream: inout InitializationStream
    ) throws(ModelError) -> any Layer {
        Conv1d(
            try context.sequence().features, common.outputChannels, kernel: kernel, stride: stride,
            padding: padding, dilation: dilation, groups: common.groups, bias: common.bias,
            initializer: common.initializer.initializer, stream: &stream)
    }

    func steps(
        of layer: any Layer, for context: LayerContext
    ) throws(ModelError) -> any StepwiseLayer {
        throw context.cannotContinue("its steps see later symbols")
    }
}
