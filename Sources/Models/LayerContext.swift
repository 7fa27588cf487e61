import Autodiff
import Kernels
import NeuralNetworks

/// Where a layer stands in a model: what flows into it, and how messages name it.
package struct LayerContext: Sendable {
    /// The shape of the input, of one sample.
    package let input: FeatureShape
    /// The classes or symbols of the task.
    package let outputs: Int
    /// How the model's 3x3 convolutions are computed.
    package let tile: WinogradTile
    /// The place in the configuration, such as `model.layers.3`.
    package let path: String
    /// The layer's type and name, such as `linear "output"`.
    package let layer: String

    package func failure(_ problem: String) -> ModelError {
        ModelError(path: path, layer: layer, problem: problem)
    }

    package func cannotContinue(_ reason: String) -> ModelError {
        failure("a text cannot be continued with this layer: \(reason)")
    }

    /// The error for an input of another shape than the layer needs.
    package func needs(_ wanted: String, hint: String = "") -> ModelError {
        failure("needs \(wanted), but its input is \(input.message)\(hint)")
    }

    package func image() throws(ModelError) -> (channels: Int, height: Int, width: Int) {
        guard let image = input.image else { throw needs("an image") }
        return image
    }

    package func sequence() throws(ModelError) -> (length: Int, features: Int) {
        guard let sequence = input.sequence else { throw needs("a sequence") }
        return sequence
    }

    /// The windows of a convolution or a pool on the image that is the input.
    func window(
        kernel: ImageWindow.Pair, stride: ImageWindow.Pair, padding: ImageWindow.Pair
    ) throws(ModelError) -> ImageWindow {
        let (channels, height, width) = try image()
        guard
            let window = ImageWindow(
                height: height, width: width, channels: channels, kernel: kernel, stride: stride,
                padding: padding)
        else {
            throw failure(
                "a kernel of \(kernel.height)x\(kernel.width) does not fit on its input"
                    + " \(input) with padding \(padding.height)x\(padding.width)")
        }
        return window
    }
}
