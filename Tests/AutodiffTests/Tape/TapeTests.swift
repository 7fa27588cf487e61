import Autodiff
import Tensors
import Testing

@Suite struct TapeTests {
    @Test func evaluationRecordsNothing() {
        let tape = Tape(.evaluation)
        let weight = Parameter(Tensor([2, 0, 0, 2], [2, 2]))
        let y = linear(tape.constant(Tensor([1, 2], [1, 2])), weight: weight, bias: nil)
        #expect(!y.isDifferentiated)
        #expect(y.value.scalars == [2, 4])
    }

    @Test func firstContributionOverwritesAndSecondAdds() {
        let weight = Parameter(Tensor([1], [1, 1]))
        weight.attachGradient()
        for expected: Float in [3, 6] {
            let tape = Tape(
                .training(seed: 1, step: 0, replica: 0, microBatch: 0, sampleCount: 1))
            let y = linear(tape.constant(Tensor([3], [1, 1])), weight: weight, bias: nil)
            tape.backward(from: y)
            #expect(weight.gradient?.scalars == [expected])
        }
        weight.clearGradient()
        let tape = Tape(.training(seed: 1, step: 0, replica: 0, microBatch: 0, sampleCount: 1))
        tape.backward(
            from: linear(tape.constant(Tensor([5], [1, 1])), weight: weight, bias: nil))
        #expect(weight.gradient?.scalars == [5])
    }

    @Test func parametersAreCompleteAfterTheirLastUse() {
        let first = Parameter(Tensor([2], [1, 1]))
        let second = Parameter(Tensor([3], [1, 1]))
        for parameter in [first, second] { parameter.attachGradient() }
        var order: [String] = []
        let tape = Tape(.training(seed: 1, step: 0, replica: 0, microBatch: 0, sampleCount: 1))
        tape.onGradientComplete = { order.append($0 === first ? "first" : "second") }
        var x = tape.constant(Tensor([1], [1, 1]))
        // first is used below and above second: it is complete only at the very end.
        for weight in [first, second, first] { x = linear(x, weight: weight, bias: nil) }
        tape.backward(from: x)
        #expect(order == ["second", "first"])
        #expect(first.gradient?.scalars == [12])
        #expect(second.gradient?.scalars == [4])
    }

    @Test func dropoutMaskDependsOnItsKeyAlone() {
        func masked(step: Int, replica: Int) -> [Float] {
            let tape = Tape(
                .training(seed: 5, step: step, replica: replica, microBatch: 0, sampleCount: 1))
            let x = tape.constant(Tensor(repeating: 1, [10_000]))
            return dropout(x, probability: 0.25).value.scalars
        }
        let mask = masked(step: 1, replica: 2)
        #expect(mask == masked(step: 1, replica: 2))
        #expect(mask != masked(step: 2, replica: 2))
        #expect(mask != masked(step: 1, replica: 3))
        #expect(Set(mask) == [0, 1 / 0.75])
        // 2500 expected, standard deviation 43: six of them.
        let dropped = mask.count { $0 == 0 }
        #expect(abs(dropped - 2500) < 260)
    }

    /// Memory that a tensor gave back is handed out again for the same size.
    @Test func memoryIsReused() {
        // A size of its own: other tests share the pool at the same time.
        let before = Tensor(uninitialized: [1_234_567])
        let address = before.pointer
        _ = consume before
        #expect(Tensor(uninitialized: [1_234_567]).pointer == address)
    }
}
