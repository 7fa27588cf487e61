import Autodiff
import NeuralNetworks
import Tensors
import TestSupport
import Testing

/// A frozen parameter is a constant of the tape.
@Suite struct FrozenParameterTests {
    private let settings = GradientCheck.settings

    private func parameter(_ shape: Shape, seed: UInt64) -> Parameter {
        var generator = SplitMix(seed: seed)
        let parameter = Parameter(generator.tensor(shape))
        parameter.attachGradient()
        return parameter
    }

    @Test func noBackwardRunsBeforeTheFirstTrainedParameter() {
        let weights = (0..<3).map { parameter([4, 4], seed: $0 + 1) }
        weights[0].isFrozen = true
        let tape = Tape(settings)
        var completed: [Bool] = []
        tape.onGradientComplete = { done in completed.append(done === weights[0]) }
        var x = tape.constant(drawnInput)
        x = linear(x, weight: weights[0], bias: nil)
        #expect(!x.isDifferentiated)
        x = tanh(x)
        #expect(!x.isDifferentiated)
        for weight in weights.dropFirst() { x = linear(x, weight: weight, bias: nil) }
        #expect(x.isDifferentiated)
        tape.backward(from: x, upstream: Tensor(repeating: 1, x.shape))
        #expect(completed == [false, false])
        #expect(!weights[0].gradientIsWritten)
        #expect(weights[1].gradientIsWritten && weights[2].gradientIsWritten)
    }

    /// The other gradients have the bits that they have without freezing.
    @Test func gradientsFlowThroughAFrozenParameter() {
        func gradients(frozen: Bool) -> [[Float]] {
            let first = parameter([4, 4], seed: 1)
            let second = parameter([3, 4], seed: 2)
            let bias = parameter([3], seed: 3)
            second.isFrozen = frozen
            let tape = Tape(settings)
            let hidden = tanh(linear(tape.constant(drawnInput), weight: first, bias: nil))
            let y = linear(hidden, weight: second, bias: bias)
            tape.backward(from: y, upstream: Tensor(repeating: 1, y.shape))
            #expect(second.gradientIsWritten == !frozen)
            return [first, bias].map { $0.gradient?.scalars ?? [] }
        }
        #expect(gradients(frozen: true) == gradients(frozen: false))
    }

    /// Layers that compute several gradients in one pass leave out those of frozen parameters.
    @Test func layersLeaveOutWhatIsFrozen() {
        var stream = InitializationStream(seed: 1)
        let embedding = Embedding(6, 4, stream: &stream)
        let recurrent = LSTM(4, 3, stream: &stream)
        let norm = LayerNorm([3])
        let batchNorm = BatchNorm(3)
        func run(frozen: Set<String>) -> [String: [Float]] {
            let modules: [(String, any Module)] = [
                ("embedding", embedding), ("recurrent", recurrent), ("norm", norm),
                ("batchNorm", batchNorm),
            ]
            for case .parameter(_, let parameter) in modules.flatMap({ $0.1.namedStates }) {
                parameter.isFrozen = false
                parameter.attachGradient()
            }
            for (name, module) in modules where frozen.contains(name) { module.freeze() }
            let tape = Tape(settings)
            let tokens: [Int32] = (0..<40).map { Int32($0 * 7 % 6) }
            let x = embedding(tokens, shape: [20, 2], tape: tape)
            let y = batchNorm(norm(recurrent(x, initial: nil, lengths: nil).output))
            tape.backward(from: y, upstream: Tensor((0..<120).map { Float($0 % 5) }, y.shape))
            var gradients: [String: [Float]] = [:]
            for (name, module) in modules {
                for case .parameter(let part, let parameter) in module.namedStates
                where parameter.gradientIsWritten {
                    gradients["\(name).\(part)"] = parameter.gradient?.scalars
                }
            }
            return gradients
        }
        let all = run(frozen: [])
        #expect(all.count == 1 + 4 + 2 + 2)
        for frozen in [["embedding"], ["recurrent"], ["embedding", "recurrent"], ["norm"]] {
            let rest = run(frozen: Set(frozen))
            let expected = all.filter { entry in
                !frozen.contains { entry.key.hasPrefix("\($0).") }
            }
            #expect(rest == expected, "without \(frozen)")
        }
        #expect(run(frozen: ["embedding", "recurrent", "norm", "batchNorm"]).isEmpty)
    }

    /// Freezing all that a checkpointed segment has leaves nothing to compute again.
    @Test func aFrozenCheckpointedSegmentIsConstant() {
        let weight = parameter([4, 4], seed: 1)
        weight.isFrozen = true
        let tape = Tape(settings)
        let y = checkpointed(tape.constant(drawnInput)) { linear($0, weight: weight, bias: nil) }
        #expect(!y.isDifferentiated)
    }

    private var drawnInput: Tensor {
        var generator = SplitMix(seed: 9)
        return generator.tensor([5, 4])
    }
}
