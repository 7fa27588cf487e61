import Kernels
import Configuration

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
        case rows
        case embedding(symbols: Int, width: Int)
        case positions(length: Int, features: Int)
        case recurrent(RecurrentPlan)
        case lastStep
        case transformer(features: Int, options: TransformerBlockOptions)
        case layerNorm(features: Int, epsilon: Double)
        case gelu
        case residual(layers: [LayerPlan], shortcut: [LayerPlan])
    }

    let path: String
    let name: String
    let type: String
    let operation: Operation
    let input: FeatureShape
    let output: FeatureShape

    /// Plans a list of layers one after another.
    /// - Parameter outputs: the classes or symbols of the task.
    static func plan(
        _ layers: [LayerConfiguration], path: String, input: FeatureShape, outputs: Int
    ) throws(ModelError) -> [LayerPlan] {
        var plans: [LayerPlan] = []
        var shape = input
        for (position, layer) in layers.enumerated() {
            let plan = try LayerPlan(
                layer, path: "\(path).\(position)", position: position, input: shape,
                outputs: outputs)
            shape = plan.output
            plans.append(plan)
        }
        return plans
    }

    private init(
        _ layer: LayerConfiguration, path: String, position: Int, input: FeatureShape,
        outputs: Int
    ) throws(ModelError) {
        self.path = path
        self.input = input
        name = layer.effectiveName(at: position)
        type = layer.operation.typeName.rawValue
        let context = Context(
            path: path, layer: "\(type) \"\(name)\"", input: input, outputs: outputs)
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
        case .embedding(let symbols, let width): return symbols * width
        case .positions(let length, let features): return length * features
        case .recurrent(let plan): return plan.scalarCount
        case .transformer(let width, let options):
            // Attention in and out, two linear layers, two norms.
            return 4 * width * width + 4 * width + 2 * width * options.feedForward
                + options.feedForward + width + 4 * width
        case .layerNorm(let features, _): return 2 * features
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
    let outputs: Int

    typealias Settled = (LayerPlan.Operation, FeatureShape)

    private func failure(_ problem: String) -> ModelError {
        ModelError(path: path, layer: layer, problem: problem)
    }

    private func image() throws(ModelError) -> (channels: Int, height: Int, width: Int) {
        guard case .image(let channels, let height, let width) = input else {
            throw failure("needs an image, but its input is \(input.words)")
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
        case .linear(let features, let bias, let initializer):
            return try settleLinear(features, bias, initializer)
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
            case .tokens, .source, .sequence:
                throw failure("needs an image or a vector, but its input is \(input.words)")
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
        case .rows:
            let (channels, height, width) = try image()
            return (.rows, .sequence(length: height, features: width * channels))
        case .embedding(let width):
            guard case .tokens(let length) = input else {
                throw failure("needs symbols, but its input is \(input.words)")
            }
            return (
                .embedding(symbols: outputs, width: width),
                .sequence(length: length, features: width)
            )
        case .positions:
            let (length, features) = try sequence()
            return (.positions(length: length, features: features), input)
        case .rnn(let options):
            return try settle(options.nonlinearity == .relu ? .rnnReLU : .rnnTanh, options)
        case .lstm(let options): return try settle(.lstm, options)
        case .gru(let options): return try settle(.gru, options)
        case .lastStep:
            let (_, features) = try sequence()
            return (.lastStep, .vector(features))
        case .transformer(let options):
            let (_, features) = try sequence()
            guard features % options.heads == 0 else {
                throw failure("\(options.heads) heads do not divide its \(features) features")
            }
            return (.transformer(features: features, options: options), input)
        case .layerNorm(let epsilon):
            switch input {
            case .vector(let features), .sequence(_, let features):
                return (.layerNorm(features: features, epsilon: epsilon), input)
            case .image, .tokens, .source:
                throw failure("needs a vector or a sequence, but its input is \(input.words)")
            }
        case .gelu: return (.gelu, input)
        }
    }

    private func sequence() throws(ModelError) -> (length: Int, features: Int) {
        guard case .sequence(let length, let features) = input else {
            throw failure("needs a sequence, but its input is \(input.words)")
        }
        return (length, features)
    }

    private func settleLinear(
        _ features: FeatureCount, _ bias: Bool, _ initializer: InitializerName
    ) throws(ModelError) -> Settled {
        let count: Int
        switch features {
        case .count(let given): count = given
        case .outputs: count = outputs
        }
        func linear(_ inputs: Int) -> LayerPlan.Operation {
            .linear(inputs: inputs, outputs: count, bias: bias, initializer: initializer)
        }
        switch input {
        case .vector(let inputs): return (linear(inputs), .vector(count))
        case .sequence(let length, let inputs):
            return (linear(inputs), .sequence(length: length, features: count))
        case .image:
            throw failure(
                "needs a vector, but its input is \(input.words); put a flatten layer before it")
        case .tokens, .source:
            throw failure(
                "needs a vector, but its input is \(input.words); put an embedding before it")
        }
    }

    private func settle(
        _ cell: RecurrentPlan.Cell, _ options: RecurrentStackOptions
    ) throws(ModelError) -> Settled {
        let (length, features) = try sequence()
        let plan = RecurrentPlan(cell: cell, inputs: features, options: options)
        return (
            .recurrent(plan), .sequence(length: length, features: plan.outputFeatures)
        )
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
        let main = try LayerPlan.plan(
            layers, path: path + ".layers", input: input, outputs: outputs)
        let side = try LayerPlan.plan(
            shortcut, path: path + ".shortcut", input: input, outputs: outputs)
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
