import Autodiff
import NeuralNetworks
import Tensors
import Testing

/// Frozen parameters have no place among gradients and optimizer state.
@Suite struct FreezingTests {
    private struct Network: Layer {
        let body: Linear
        let norm: BatchNorm
        let head: Linear

        init() {
            var stream = InitializationStream(seed: 1)
            body = Linear(5, 7, stream: &stream)
            norm = BatchNorm(7)
            head = Linear(7, 3, stream: &stream)
        }

        func callAsFunction(_ x: Variable) -> Variable { head(norm(body(x))) }
    }

    @Test func frozenParametersLieBehindTheTrainedOnes() {
        let network = Network()
        network.freeze { $0.hasPrefix("body.") }
        let before = network.body.weight.value.scalars
        let store = ParameterStore(adopting: network)
        #expect(
            store.parameterSlots.map(\.name) == [
                "body.weight", "body.bias", "norm.weight", "norm.bias", "head.weight", "head.bias",
            ])
        // 7 + 7 + 21 + 3 scalars, each parameter in whole multiples of 16.
        #expect(store.parameterSlots.map(\.offset) == [80, 128, 0, 16, 32, 64])
        #expect(store.trainedSlots == Array(store.parameterSlots[2...]))
        #expect(store.trainedCount == 80)
        #expect(store.gradientCount == 80 + 32)
        #expect(store.values.count == 80 + 48 + 16)
        #expect(store.trainedValues.pointer == store.values.pointer)
        #expect(network.body.weight.value.scalars == before)
        #expect(network.body.weight.value.pointer == store.values.pointer + 80)
        #expect(network.body.weight.index == -1)
        #expect(network.head.bias?.index == 3)
    }

    @Test func theLayoutIsTheOldOneWhereNothingIsFrozen() {
        let store = ParameterStore(adopting: Network())
        #expect(store.parameterSlots.map(\.offset) == [0, 48, 64, 80, 96, 128])
        #expect(store.trainedSlots == store.parameterSlots)
        #expect(store.trainedCount == store.values.count)
        #expect(store.gradientCount == store.values.count + store.statistics.count)
    }

    @Test func aStepMovesWhatIsTrainedAlone() {
        let network = Network()
        network.freeze { $0.hasPrefix("body.") }
        let store = ParameterStore(adopting: network)
        let gradients = Tensor(zeros: [store.gradientCount])
        let optimizer = Adam(count: store.trainedCount)
        #expect(optimizer.states.allSatisfy { $0.count == 80 })
        let before = store.parameterSlots.indices.map { store.parameter(at: $0).value.scalars }
        store.bindGradients(to: gradients)
        #expect(network.body.weight.gradient == nil && network.body.bias?.gradient == nil)
        let tape = Tape(
            .training(seed: 1, step: 0, replica: 0, microBatch: 0, sampleCount: 4))
        let x = tape.constant(Tensor((0..<20).map { Float($0 % 6) }, [4, 5]))
        tape.backward(from: softmaxCrossEntropy(network(x), labels: [0, 1, 2, 1]).loss)
        store.finishGradients()
        store.finishStatistics()
        optimizer.update(
            store.trainedValues, gradients: gradients.pointer, gradientScale: 1, learningRate: 0.1,
            step: 1)
        store.updateStatistics(sums: gradients.pointer + store.trainedCount, sampleCount: 4)
        let changed = store.parameterSlots.indices.map {
            store.parameter(at: $0).value.scalars != before[$0]
        }
        #expect(changed == [false, false, true, true, true, true])
        #expect(network.norm.runningMean.value.scalars.contains { $0 != 0 })
    }

    /// One of two networks may be a constant for a while, as the discriminator of a generator's
    /// step.
    @Test func aParameterMayBeFrozenForSomeSteps() {
        let network = Network()
        let store = ParameterStore(adopting: network)
        let gradients = Tensor(repeating: 7, [store.gradientCount])
        func weightGradient() -> [Float] {
            store.bindGradients(to: gradients)
            let tape = Tape(
                .training(seed: 1, step: 0, replica: 0, microBatch: 0, sampleCount: 4))
            let x = tape.constant(Tensor((0..<20).map { Float($0 % 6) }, [4, 5]))
            tape.backward(from: softmaxCrossEntropy(network(x), labels: [0, 1, 2, 1]).loss)
            store.finishGradients()
            return network.head.weight.gradient?.scalars ?? []
        }
        let trained = weightGradient()
        #expect(trained.contains { $0 != 0 })
        network.head.weight.isFrozen = true
        #expect(weightGradient() == [Float](repeating: 0, count: 21))
        network.head.weight.isFrozen = false
        #expect(weightGradient() == trained)
    }
}
