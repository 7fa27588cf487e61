import Autodiff
import Kernels
import NeuralNetworks
import Tensors
import TestSupport
import Testing

/// Gradients of a network as it is evaluated: with respect to inputs and to named activations.
@Suite struct EvaluationGradientTests {
    /// Convolution, batch norm, dropout, ReLU, pool and a linear layer, whose running statistics
    /// are not those of any batch.
    private struct Network: Layer {
        let convolution: Conv2d
        let norm: BatchNorm
        let output: Linear

        /// - Parameter offset: of the norm's biases, with alternating sign; keeps channels away
        ///   from the ReLU's kink.
        init(offset: Float = 0) {
            var generator = SplitMix(seed: 11)
            var stream = InitializationStream(seed: 3)
            convolution = Conv2d(2, 4, kernel: .init(3), padding: .init(1), stream: &stream)
            norm = BatchNorm(4)
            output = Linear(4 * 3 * 3, 5, stream: &stream)
            for (tensor, range) in [
                (norm.weight.value, Float(0.5)...1.5), (norm.bias.value, -1...1),
                (norm.runningMean.value, -0.5...0.5), (norm.runningVar.value, 0.5...2),
            ] {
                let values = generator.tensor(tensor.shape, range)
                tensor.pointer.update(from: values.pointer, count: tensor.count)
            }
            for channel in 0..<4 {
                norm.bias.value.pointer[channel] += channel % 2 == 0 ? offset : -offset
            }
        }

        func callAsFunction(_ x: Variable) -> Variable {
            let features = dropout(norm(convolution(x)), probability: 0.5)
            let shown = observed(relu(features), as: "features")
            return output(flatten(averagePool2d(shown, kernel: .init(2))))
        }
    }

    private let check = GradientCheck()
    private let image = Shape([2, 6, 6, 2])

    private func input(seed: UInt64) -> Tensor {
        var generator = SplitMix(seed: seed)
        return generator.tensor(image)
    }

    /// Two channels are beyond the ReLU everywhere, two are below it.
    @Test func gradientOfAnInputThroughTheWholeNetwork() {
        let network = Network(offset: 5)
        check.expectRight(
            inputs: [input(seed: 1)],
            parameters: [
                network.convolution.weight, network.norm.weight, network.norm.bias,
                network.output.weight,
            ], settings: .recordedEvaluation
        ) { network($0[0]) }
    }

    /// The gradients of all parameters too, and of a residual behind the norm.
    @Test func batchNormTakesItsRunningStatisticsAsConstants() {
        let norm = Network().norm
        var generator = SplitMix(seed: 4)
        let inputs = [generator.tensor([3, 5, 4]), generator.tensor([3, 5, 4])]
        check.expectRight(
            inputs: inputs, parameters: [norm.weight, norm.bias], settings: .recordedEvaluation
        ) { norm($0[0], adding: $0[1], relu: false) }
        // Running statistics are no part of it.
        #expect(norm.runningMean.contribution == nil)
    }

    /// The completeness of integrated gradients (Sundararajan et al. 2017): along the straight line
    /// from a baseline, (x - baseline) times the mean gradient adds up to the difference of the
    /// outputs.
    @Test func integratedGradientsAddUpToTheOutputsDifference() throws {
        let network = Network()
        var generator = SplitMix(seed: 2)
        let x = generator.tensor(image, -3...3)
        let steps = 400
        var attribution = [Double](repeating: 0, count: x.count)
        func output(_ x: Tensor, onGradient: @escaping (Tensor) -> Void) -> Float {
            let tape = Tape(.recordedEvaluation)
            let y = network(tape.input(x, onGradient: onGradient))
            // Class 1 of both images.
            var upstream = [Float](repeating: 0, count: y.value.count)
            upstream[1] = 1
            upstream[6] = 1
            tape.backward(from: y, upstream: Tensor(upstream, y.shape))
            return y.value.scalars[1] + y.value.scalars[6]
        }
        for step in 0..<steps {
            let share = (Float(step) + 0.5) / Float(steps)
            let point = Tensor(x.scalars.map { $0 * share }, x.shape)
            _ = output(point) { gradient in
                for (index, value) in gradient.scalars.enumerated() {
                    attribution[index] += Double(value) / Double(steps)
                }
            }
        }
        let sum = zip(attribution, x.scalars).reduce(0) { $0 + $1.0 * Double($1.1) }
        let difference = output(x) { _ in } - output(Tensor(zeros: x.shape)) { _ in }
        // The midpoint rule over a function with kinks: an error of order 1 / steps.
        #expect(abs(sum - Double(difference)) < 2e-3, "\(sum) for \(difference)")
        #expect(abs(difference) > 0.02)
    }

    /// With respect to what a layer shows, though the input is a constant and every parameter is
    /// frozen.
    @Test(arguments: [false, true])
    func gradientAtANamedActivation(frozen: Bool) throws {
        let network = Network()
        if frozen { network.freeze() }
        let x = input(seed: 5)
        var value: Tensor?
        var gradient: [Float]?
        let tape = Tape(.recordedEvaluation)
        tape.hooks = ActivationHooks(
            onValue: { name, tensor in if name == "features" { value = tensor.copied() } },
            onGradient: { name, tensor in if name == "features" { gradient = tensor.scalars } })
        let y = network(tape.constant(x))
        let upstream = Tensor((0..<y.value.count).map { Float($0 % 3) - 0.5 }, y.shape)
        tape.backward(from: y, upstream: upstream)
        let features = try #require(value)
        let found = try #require(gradient)

        // What follows the activation, from its value on.
        func loss(_ features: Tensor) -> Double {
            let tape = Tape(.evaluation)
            let pooled = averagePool2d(tape.constant(features), kernel: .init(2))
            let y = network.output(flatten(pooled)).value
            return zip(y.scalars, upstream.scalars).reduce(0) { $0 + Double($1.0) * Double($1.1) }
        }
        for element in stride(from: 0, to: features.count, by: 17) {
            let before = features.pointer[element]
            features.pointer[element] = before + 0.1
            let above = loss(features)
            features.pointer[element] = before - 0.1
            let below = loss(features)
            features.pointer[element] = before
            #expect(abs((above - below) / 0.2 - Double(found[element])) < 1e-5)
        }
    }

    /// A shown activation inside of a segment that is computed again.
    @Test func gradientAtANamedActivationOfACheckpointedSegment() {
        func gradient(checkpointing: Bool) -> [Float] {
            let network = Network()
            network.freeze()
            var gradient: [Float] = []
            let tape = Tape(.recordedEvaluation)
            tape.hooks = ActivationHooks(onGradient: { _, tensor in gradient = tensor.scalars })
            let x = tape.constant(input(seed: 6))
            let y = checkpointing ? checkpointed(x) { network($0) } : network(x)
            tape.backward(from: y, upstream: Tensor(repeating: 1, y.shape))
            return gradient
        }
        let kept = gradient(checkpointing: false)
        #expect(kept.count == 2 * 6 * 6 * 4)
        #expect(gradient(checkpointing: true) == kept)
    }

    /// The values are those of an evaluation, bit for bit, and nothing random acts.
    @Test func recordingChangesNoValue() {
        let network = Network()
        let x = input(seed: 7)
        let plain = network(Tape(.evaluation).constant(x))
        let recorded = network(Tape(.recordedEvaluation).constant(x))
        #expect(plain.value.scalars == recorded.value.scalars)
        #expect(!plain.isDifferentiated)
        #expect(recorded.isDifferentiated)
    }
}
