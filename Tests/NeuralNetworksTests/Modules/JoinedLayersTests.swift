import Autodiff
import NeuralNetworks
import Tensors
import Testing

/// Neighbours that a Sequential computes together give the bits of each one on its own, but for
/// sums over groups.
@Suite struct JoinedLayersTests {
    /// Not known as what they are, so nothing is joined.
    private let relu = Activation { Autodiff.relu($0) }
    private let identity = Activation { $0 }

    private func bits(_ tensor: Tensor?) -> [UInt32] { tensor?.scalars.map(\.bitPattern) ?? [] }

    /// The bits of the result and of all gradients; the input's first.
    private func pass(_ network: Sequential, _ x: Tensor, upstreamSeed: UInt64) -> [[UInt32]] {
        let parameters = network.namedStates.compactMap { state in
            if case .parameter(_, let parameter) = state { parameter } else { nil }
        }
        for parameter in parameters { parameter.attachGradient() }
        let tape = Tape(
            .training(seed: 1, step: 0, replica: 0, microBatch: 0, sampleCount: x.shape[0]))
        var dx: Tensor?
        let y = network(tape.input(x) { dx = $0 })
        let value = bits(y.value)
        tape.backward(from: y, upstream: normal(y.shape, seed: upstreamSeed))
        return [value, bits(dx)] + parameters.map { bits($0.gradient) }
    }

    private func expectEqual(_ joined: Sequential, _ plain: Sequential, _ x: Tensor) {
        let found = pass(joined, x, upstreamSeed: 3)
        #expect(found == pass(plain, x, upstreamSeed: 3))
        #expect(found.allSatisfy { $0.contains { $0 != 0 } })
        let evaluation = Tape(.evaluation)
        #expect(
            bits(joined(evaluation.constant(x)).value)
                == bits(plain(evaluation.constant(x)).value))
    }

    private func normal(_ shape: Shape, seed: UInt64) -> Tensor {
        var stream = InitializationStream(seed: seed)
        return Initializer.kaimingNormal.tensor(shape, fanIn: 2, fanOut: 1, stream: &stream)
    }

    private func input(_ shape: Shape) -> Tensor { normal(shape, seed: 2) }

    // 16 channels fill vectors, 19 leave some over.
    @Test(arguments: [16, 19]) func normAndRelu(channels: Int) {
        let norm = BatchNorm(channels)
        expectEqual(
            Sequential(norm, Activation.relu), Sequential(norm, relu), input([4, 9, 5, channels]))
    }

    @Test(arguments: [(16, 2, 2, 0), (5, 2, 2, 0), (19, 3, 2, 1), (32, 2, 1, 0)])
    func reluAndPool(channels: Int, kernel: Int, stride: Int, padding: Int) {
        let pool = MaxPool2d(
            kernel: .init(kernel), stride: .init(stride), padding: .init(padding))
        expectEqual(
            Sequential(Activation.relu, pool), Sequential(relu, pool), input([2, 8, 6, channels]))
        // All inputs of some windows are negative.
        let low = input([2, 8, 6, channels])
        for i in 0..<low.count { low.pointer[i] -= 1 }
        expectEqual(Sequential(Activation.relu, pool), Sequential(relu, pool), low)
    }

    // Channels for Winograd's way, for columns, for the reference; pools that overlap and that
    // leave some over.
    @Test(arguments: [(16, 16, 2, 2, 0), (1, 32, 2, 2, 0), (3, 5, 3, 2, 1), (16, 19, 2, 1, 0)])
    func convolutionAndPool(inputs: Int, outputs: Int, kernel: Int, stride: Int, padding: Int) {
        let pool = MaxPool2d(
            kernel: .init(kernel), stride: .init(stride), padding: .init(padding))
        let x = input([3, 9, 8, inputs])
        for bias in [true, false] {
            var stream = InitializationStream(seed: 1)
            let conv = Conv2d(
                inputs, outputs, kernel: 3, padding: 1, bias: bias, stream: &stream)
            expectEqual(Sequential(conv, pool), Sequential(conv, identity, pool), x)
            expectEqual(
                Sequential(conv, Activation.relu, pool), Sequential(conv, relu, pool), x)
        }
    }

    /// Seven images of 51,200 floats between the two are four groups: the same values and gradient
    /// of the input, and the sums of the weight's gradient in another order.
    @Test func convolutionAndPoolByGroups() {
        var stream = InitializationStream(seed: 1)
        let conv = Conv2d(16, 32, kernel: 3, padding: 1, stream: &stream)
        let pool = MaxPool2d(kernel: 2)
        let x = input([7, 40, 40, 16])
        let joined = pass(Sequential(conv, Activation.relu, pool), x, upstreamSeed: 3)
        let plain = pass(Sequential(conv, relu, pool), x, upstreamSeed: 3)
        #expect(joined.count == 4)
        #expect(joined[..<2] == plain[..<2])
        #expect(joined[2] != plain[2], "the weight's gradient is of one group")
        for (found, expected) in zip(joined[2...], plain[2...]) {
            let values = expected.map { Float(bitPattern: $0) }
            let largest = values.map(abs).max() ?? 0
            #expect(largest > 1)
            for (found, expected) in zip(found, values) {
                #expect(abs(Float(bitPattern: found) - expected) < 1e-5 * largest)
            }
        }
    }

    /// A kernel of 256 taps leaves no number for a clipped window.
    @Test func reluAndLargestPool() {
        let pool = MaxPool2d(kernel: .init(16))
        expectEqual(
            Sequential(Activation.relu, pool), Sequential(relu, pool), input([2, 32, 16, 3]))
    }

    @Test(arguments: [true, false]) func residualBlocks(projects: Bool) {
        var stream = InitializationStream(seed: 1)
        let outputs = projects ? 20 : 16
        let conv = Conv2d(16, outputs, kernel: 3, padding: 1, bias: false, stream: &stream)
        let norm = BatchNorm(outputs)
        let shortcut =
            projects
            ? Sequential(
                Conv2d(16, outputs, kernel: 1, bias: false, stream: &stream), BatchNorm(outputs))
            : Sequential()
        let x = input([3, 6, 6, 16])
        let joined = Residual(Sequential(conv, norm), shortcut: shortcut)
        let plain = Residual(Sequential(conv, norm, identity), shortcut: shortcut)
        expectEqual(Sequential(joined, Activation.relu), Sequential(plain, relu), x)
        expectEqual(Sequential(joined), Sequential(plain), x)
    }

    /// What is not a number stays so, or a run that has diverged would look well.
    @Test func notANumberStays() {
        let tape = Tape(.evaluation)
        let x = tape.constant(Tensor([.nan, -1, -2, -3], [1, 2, 2, 1]))
        #expect(Sequential(Activation.relu, MaxPool2d(kernel: 2))(x).value.scalars[0].isNaN)
        #expect(Sequential(BatchNorm(1), Activation.relu)(x).value.scalars[0].isNaN)
        var stream = InitializationStream(seed: 1)
        let conv = Conv2d(1, 1, kernel: 1, stream: &stream)
        let y = Sequential(conv, Activation.relu, MaxPool2d(kernel: 2))(x)
        #expect(y.value.scalars[0].isNaN)
    }
}
