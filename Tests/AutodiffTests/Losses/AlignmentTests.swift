import Autodiff
import Foundation
import Tensors
import TestSupport
import Testing

/// CTC against the sum over all paths, one by one.
@Suite struct AlignmentTests {
    @Test(arguments: 1...6)
    func equalsTheSumOverAllPaths(steps: Int) {
        let classes = 3
        for (number, labels) in [[], [1], [1, 2], [2, 2], [1, 1, 2], [1, 2, 1]].enumerated() {
            let labels = labels.map(Int32.init)
            let logits = drawn("paths/\(steps)/\(number)", [1, steps, classes], scale: 3)
            let expected = byPaths(logits.scalars, steps, classes, labels)
            let tape = Tape(.evaluation)
            let loss = ctcLoss(tape.constant(logits), labels: [labels])
            if expected.probability == 0 {
                #expect(loss.sum == .infinity)
                continue
            }
            #expect(abs(Double(loss.sum) + log(expected.probability)) < 1e-5)
            let training = Tape(GradientCheck.settings)
            var gradient: [Float] = []
            let x = training.input(logits) { gradient = $0.scalars }
            training.backward(from: ctcLoss(x, labels: [labels]).loss)
            for (value, wanted) in zip(gradient, expected.gradient) {
                #expect(abs(Double(value) - wanted) < 1e-5)
            }
        }
    }

    /// Time first and batch first are the same numbers in another order.
    @Test func layoutsAgree() {
        let batch = drawn("layouts", [2, 5, 4])
        let time = Tensor(uninitialized: [5, 2, 4])
        for sample in 0..<2 {
            for step in 0..<5 {
                for k in 0..<4 {
                    time.pointer[(step * 2 + sample) * 4 + k] =
                        batch.pointer[(sample * 5 + step) * 4 + k]
                }
            }
        }
        let tape = Tape(.evaluation)
        let labels: [[Int32]] = [[1, 2], [3]]
        let a = ctcLoss(tape.constant(batch), labels: labels).sum
        let b = ctcLoss(tape.constant(time), labels: labels, layout: .timeFirst).sum
        #expect(a == b)
    }

    /// The probability of the labels, and the gradient of its negative logarithm.
    private func byPaths(
        _ logits: [Float], _ steps: Int, _ classes: Int, _ labels: [Int32]
    ) -> (probability: Double, gradient: [Double]) {
        var rows: [[Double]] = []
        for step in 0..<steps {
            let powers = (0..<classes).map { exp(Double(logits[step * classes + $0])) }
            let sum = powers.reduce(0, +)
            rows.append(powers.map { $0 / sum })
        }
        var total = 0.0
        var visits = [Double](repeating: 0, count: steps * classes)
        let pathCount = (0..<steps).reduce(1) { count, _ in count * classes }
        for number in 0..<pathCount {
            var rest = number
            let path = (0..<steps).map { _ in
                defer { rest /= classes }
                return rest % classes
            }
            var said: [Int32] = []
            for (step, label) in path.enumerated()
            where label != 0 && (step == 0 || path[step - 1] != label) {
                said.append(Int32(label))
            }
            guard said == labels else { continue }
            let probability = path.enumerated().reduce(1) { $0 * rows[$1.offset][$1.element] }
            total += probability
            for (step, label) in path.enumerated() { visits[step * classes + label] += probability }
        }
        let gradient = zip(rows.flatMap { $0 }, visits).map { $0 - $1 / total }
        return (total, gradient)
    }
}
