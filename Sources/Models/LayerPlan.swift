import Kernels
import RunConfiguration

// A configured layer whose input is known: every size is settled and checked here, before any
// memory is taken or any worker is started; building from a plan cannot fail.

package struct LayerPlan {
    package enum Operation {
        case linear(inputs: Int, outputs: Int, bias: Bool, initializer: InitializerName)
        case conv2d(
            inputs: Int, options: ConvolutionOptions, padding: ImageWindow.Pair)
        case maxPool2d(PoolingOptions)
        case averagePool2d(PoolingOptions)
        case globalAveragePool
        case batchNorm(channels: Int, momentum: Double, epsilon: Double)
        case relu, tanh, sigmoid
        case dropout(probability: Double)
        case flatten
        case residual(layers: [LayerPlan], shortcut: [LayerPlan])
    }

    let path: String
    let name: String
    let type: String
    let operation: Operation
    let input: FeatureShape
    let output: FeatureShape

    /// Plans a list of layers one after another.
    static func plan(
        _ layers: [LayerConfiguration], path: String, input: FeatureShape
    ) throws(ModelError) -> [LayerPlan] {
        var plans: [LayerPlan] = []
        var shape = input
        for (position, layer) in layers.enumerated() {
            let plan = try LayerPlan(
                layer, path: "\(path).\(position)", position: position, input: shape)
            shape = plan.output
            plans.append(plan)
        }
        return plans
    }

    private init(
        _ layer: LayerConfiguration, path: String, position: Int, input: FeatureShape
    ) throws(ModelError) {
        self.path = path
        self.input = input
        name = layer.effectiveName(at: position)
        type = layer.operation.typeName.rawValue
        let context = Context(path: path, layer: "\(type) \"\(name)\"", input: input)
        (operation, output) = try context.settle(layer.operation)
    }

    /// Trained scalars of the layer itself, blocks included.
    var scalarCount: Int {
        switch operation {
        case .linear(let inputs, let outputs, let bias, _):
            return inputs * outputs + (bias ? outputs : 0)
        case .conv2d(let inputs, let options, _):
            let taps = options.kernel.height * options.kernel.width
            let outputs = options.outputChannels
            return outputs * (inputs / options.groups) * taps + (options.bias ? outputs : 0)
        case .batchNorm(let channels, _, _): return 2 * channels
        case .residual(let layers, let shortcut):
            return (layers + shortcut).reduce(0) { $0 + $1.scalarCount }
        default: return 0
        }
    }
}

/// Settles one operation against its input.
private struct Context {
    let path: String
    let layer: String
    let input: FeatureShape

    typealias Settled = (LayerPlan.Operation, FeatureShape)

    private func failure(_ problem: String) -> ModelError {
        ModelError(path: path, layer: layer, problem: problem)
    }

    private func image() throws(ModelError) -> (channels: Int, height: Int, width: Int) {
        guard case .image(let channels, let height, let width) = input else {
            throw failure("needs an image, but its input is a vector of \(input) features")
        }
        return (channels, height, width)
    }

    private func window(
        kernel: Extent, stride: Extent, padding: Extent
    ) throws(ModelError) -> ImageWindow {
        let (channels, height, width) = try image()
        guard
            let window = ImageWindow(
                height: height, width: width, channels: channels, kernel: .init(kernel),
                stride: .init(stride), padding: .init(padding))
        else {
            throw failure(
                "a kernel of \(kernel.height)x\(kernel.width) does not fit on its input"
                    + " \(input) with padding \(padding.height)x\(padding.width)")
        }
        return window
    }

    func settle(_ operation: LayerOperation) throws(ModelError) -> Settled {
        switch operation {
        case .linear(let outputs, let bias, let initializer):
            guard case .vector(let inputs) = input else {
                throw failure(
                    "needs a vector, but its input is an image \(input); put a flatten layer"
                        + " before it")
            }
            return (
                .linear(inputs: inputs, outputs: outputs, bias: bias, initializer: initializer),
                .vector(outputs)
            )
        case .conv2d(let options): return try settle(options)
        case .maxPool2d(let options):
            guard options.kernel.height * options.kernel.width <= 256 else {
                throw failure("a kernel of more than 256 positions is not supported")
            }
            guard
                2 * options.padding.height <= options.kernel.height,
                2 * options.padding.width <= options.kernel.width
            else { throw failure("its padding is more than half of its kernel") }
            return (.maxPool2d(options), try pooled(options))
        case .averagePool2d(let options): return (.averagePool2d(options), try pooled(options))
        case .globalAveragePool:
            let (channels, _, _) = try image()
            return (.globalAveragePool, .image(channels: channels, height: 1, width: 1))
        case .batchNorm(let momentum, let epsilon):
            let channels: Int
            switch input {
            case .image(let count, _, _), .vector(let count): channels = count
            }
            return (
                .batchNorm(channels: channels, momentum: momentum, epsilon: epsilon), input
            )
        case .relu: return (.relu, input)
        case .tanh: return (.tanh, input)
        case .sigmoid: return (.sigmoid, input)
        case .dropout(let probability): return (.dropout(probability: probability), input)
        case .flatten: return (.flatten, .vector(input.count))
        case .residual(let layers, let shortcut): return try settle(layers, shortcut)
        }
    }

    private func settle(_ options: ConvolutionOptions) throws(ModelError) -> Settled {
        let (channels, _, _) = try image()
        guard channels % options.groups == 0, options.outputChannels % options.groups == 0 else {
            throw failure(
                "\(options.groups) groups do not divide \(channels) input and"
                    + " \(options.outputChannels) output channels")
        }
        let padding: Extent
        switch options.padding {
        case .zeros(let extent): padding = extent
        case .same:
            guard options.stride == Extent(height: 1, width: 1),
                options.kernel.height % 2 == 1, options.kernel.width % 2 == 1
            else { throw failure("padding \"same\" needs a stride of 1 and an odd kernel") }
            padding = Extent(
                height: options.kernel.height / 2, width: options.kernel.width / 2)
        }
        let window = try window(kernel: options.kernel, stride: options.stride, padding: padding)
        return (
            .conv2d(inputs: channels, options: options, padding: .init(padding)),
            .image(
                channels: options.outputChannels, height: window.outputHeight,
                width: window.outputWidth)
        )
    }

    private func pooled(_ options: PoolingOptions) throws(ModelError) -> FeatureShape {
        let window = try window(
            kernel: options.kernel, stride: options.stride, padding: options.padding)
        return .image(
            channels: window.channels, height: window.outputHeight, width: window.outputWidth)
    }

    private func settle(
        _ layers: [LayerConfiguration], _ shortcut: [LayerConfiguration]
    ) throws(ModelError) -> Settled {
        let main = try LayerPlan.plan(layers, path: path + ".layers", input: input)
        let side = try LayerPlan.plan(shortcut, path: path + ".shortcut", input: input)
        let mainOutput = main.last?.output ?? input
        let sideOutput = side.last?.output ?? input
        guard mainOutput == sideOutput else {
            let shortcutWords = side.isEmpty ? "its input is" : "its shortcut gives"
            throw failure(
                "its layers give \(mainOutput) but \(shortcutWords) \(sideOutput); both are added, so"
                    + " give it a shortcut (for example a 1x1 conv2d with the same stride)")
        }
        return (.residual(layers: main, shortcut: side), mainOutput)
    }
}

extension ImageWindow.Pair {
    init(_ extent: Extent) { self.init(extent.height, extent.width) }
}
