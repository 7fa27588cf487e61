import CKernels

/// Where a kernel window lies on one image: the geometry that convolutions and pools share.
public struct ImageWindow: Hashable, Sendable {
    /// Rows and columns of the input and its channels.
    public let height: Int, width: Int, channels: Int
    /// Rows and columns of the window.
    public let kernel: Pair
    /// Distance between neighbouring windows.
    public let stride: Pair
    /// Zeros (for pools: nothing) added on each side.
    public let padding: Pair
    /// Rows and columns of the output.
    public let outputHeight: Int, outputWidth: Int

    /// A value for rows and one for columns.
    public struct Pair: Hashable, Sendable, ExpressibleByIntegerLiteral {
        /// The value for rows, and for columns.
        public let height: Int, width: Int
        /// Different values for rows and columns.
        public init(_ height: Int, _ width: Int) {
            self.height = height
            self.width = width
        }
        /// The same value for both.
        public init(_ both: Int) { self.init(both, both) }
        /// The same value for both, as a literal.
        public init(integerLiteral both: Int) { self.init(both, both) }
    }

    /// nil where the window is larger than the padded image or a size is not positive.
    public init?(
        height: Int, width: Int, channels: Int, kernel: Pair, stride: Pair, padding: Pair
    ) {
        let paddedHeight = height + 2 * padding.height
        let paddedWidth = width + 2 * padding.width
        guard height > 0, width > 0, channels > 0, kernel.height > 0, kernel.width > 0,
            stride.height > 0, stride.width > 0, padding.height >= 0, padding.width >= 0,
            paddedHeight >= kernel.height, paddedWidth >= kernel.width
        else { return nil }
        self.height = height
        self.width = width
        self.channels = channels
        self.kernel = kernel
        self.stride = stride
        self.padding = padding
        outputHeight = (paddedHeight - kernel.height) / stride.height + 1
        outputWidth = (paddedWidth - kernel.width) / stride.width + 1
    }

    /// Floats of one input image, and of one output image with `outputChannels`.
    public var inputCount: Int { height * width * channels }
    package var outputPositions: Int { outputHeight * outputWidth }

    package func native(groupOffset: Int = 0, groupChannels: Int? = nil) -> rondo_window {
        rondo_window(
            height: Int64(height), width: Int64(width), channels: Int64(channels),
            groupOffset: Int64(groupOffset), groupChannels: Int64(groupChannels ?? channels),
            kernelHeight: Int64(kernel.height), kernelWidth: Int64(kernel.width),
            strideHeight: Int64(stride.height), strideWidth: Int64(stride.width),
            paddingTop: Int64(padding.height), paddingLeft: Int64(padding.width),
            outputHeight: Int64(outputHeight), outputWidth: Int64(outputWidth))
    }
}
