import Autodiff
import Foundation
import Tensors
import Testing

@Suite struct IndexingTests {
    private func tape() -> Tape { Tape(OperationTableTests.settings) }

    /// Rows that were read get the sum of their gradients, the others zero; a second use adds.
    @Test func embeddingGradient() {
        let table = Parameter(Tensor([1, 2, 3, 4, 5, 6], [3, 2]))
        table.attachGradient()
        let tape = tape()
        let first = embedding([2, 0, 2], shape: [3], weight: table, tape: tape)
        let second = embedding([0], shape: [1], weight: table, tape: tape)
        #expect(first.value.scalars == [5, 6, 1, 2, 5, 6])
        let loss =
            sum(first * tape.constant(Tensor([1, 2, 3, 4, 5, 6], [3, 2]))) + sum(second * 10)
        tape.backward(from: loss)
        #expect(table.gradient?.scalars == [13, 14, 0, 0, 6, 8])
    }

    /// A mask of -infinity leaves no trace in softmax, in the value or in the gradient.
    @Test func maskedSoftmax() {
        let tape = tape()
        var gradient: [Float] = []
        let x = tape.input(Tensor([1, 2, 3], [1, 3])) { gradient = $0.scalars }
        let y = softmax(maskedFill(x, Tensor([0, 1, 0], [3]), value: -.infinity))
        #expect(y.value.scalars[1] == 0)
        #expect(abs(y.value.scalars.reduce(0, +) - 1) < 1e-6)
        tape.backward(from: sum(y * y))
        #expect(gradient[1] == 0)
        #expect(gradient.allSatisfy { $0.isFinite })
    }

    @Test func gradientsStopWhereAsked() {
        let tape = tape()
        var gradient: [Float] = []
        let x = tape.input(Tensor([3], [1])) { gradient = $0.scalars }
        tape.backward(from: sum(x * stopGradient(x)))
        #expect(gradient == [3])
    }

    /// Equals share: each gets a part, and the parts add up to the upstream gradient.
    @Test func equalsShareTheGradient() {
        let tape = tape()
        var gradients: [[Float]] = [[], []]
        let a = tape.input(Tensor([1, 5, 2], [3])) { gradients[0] = $0.scalars }
        let b = tape.input(Tensor([1, 4, 3], [3])) { gradients[1] = $0.scalars }
        tape.backward(from: sum(maximum(a, b)))
        #expect(gradients == [[0.5, 1, 0], [0.5, 0, 1]])
        let second = self.tape()
        let x = second.input(Tensor([2, 7, 7, 1], [4])) { gradients[0] = $0.scalars }
        second.backward(from: max(x))
        #expect(gradients[0] == [0, 0.5, 0.5, 0])
    }

    @Test func infinitiesAndNotANumbers() {
        let tape = tape()
        let inf = Float.infinity
        func value(_ list: [Float], _ operation: (Variable) -> Variable) -> [Float] {
            operation(tape.constant(Tensor(list, [list.count]))).value.scalars
        }
        #expect(value([-inf, -inf], { logSumExp($0) }) == [-inf])
        #expect(value([inf, 0], { logSumExp($0) }) == [inf])
        #expect(value([-1000, -1000], { logSumExp($0) })[0] > -1000)
        #expect(value([1, .nan, 2], { max($0) })[0].isNaN)
        #expect(value([1, .nan, 2], { min($0) })[0].isNaN)
        #expect(argmax(Tensor([1, .nan, 2], [3])).values == [1])
        #expect(value([1000, -1000, inf, -inf], softplus) == [1000, 0, inf, 0])
        #expect(value([1000, -1000, inf, -inf], silu)[0] == 1000)
        #expect(value([200, -200], { gelu($0, .tanh) }) == [200, 0])
        #expect(value([200, -200], { gelu($0) }) == [200, 0])
        #expect(value([.nan], { clip($0, 0, 1) })[0].isNaN)
        #expect(value([0], { norm($0) }) == [0])
    }
}
