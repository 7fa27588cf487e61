import Autodiff
import Tensors
import TestSupport
import Testing

/// Losses against PyTorch: sum, mean, and gradients under an upstream gradient of 0.7.
@Suite struct LossReferenceTests {
    private let labels: [Int32] = [2, 0, 4, 1, 1, 3]
    private let ignored: [Int32] = [2, -100, 4, 1, -100, 3]
    private let classes: [Float] = [0.5, 2, 1, 0.25, 1.5]
    private let rows: [Float] = [1, 0.5, 0, 2, 1, 3]

    @Test func lossesAgreeWithPyTorch() throws {
        let file = try ReferenceFile("reference/losses.json")
        let table = ReferenceTable("Losses against PyTorch", file)
        let target = try #require(file.tensor("target", of: "target"))
        table.compare("target", kind: "(soft targets)", ["target": target])
        ofClasses(table, target)
        ofValues(table, target)
        ofPairs(table)
        ofSequences(table)
        table.finish()
        let losses = try PublicNames.losses()
        #expect(losses.count > 10)
        #expect(losses.subtracting(table.kinds).sorted() == [], "losses without a case")
        #expect(table.kinds.subtracting(losses) == ["(soft targets)"], "kinds that are no losses")
    }

    private func compare(
        _ table: ReferenceTable, _ kind: String, _ name: String,
        _ inputs: [(String, Shape)] = [("x", [6, 5])], scale: Double = 2,
        _ function: ([Variable]) -> WeightedLoss
    ) {
        compareSums(table, kind, name, inputs, scale: scale) {
            let loss = function($0)
            return (loss.loss, loss.sum, loss.mean)
        }
    }

    private func compareSums(
        _ table: ReferenceTable, _ kind: String, _ name: String, _ inputs: [(String, Shape)],
        scale: Double, _ function: ([Variable]) -> (loss: Variable, sum: Float, mean: Float)
    ) {
        let tape = Tape(GradientCheck.settings)
        var results: [String: Tensor] = [:]
        let variables = inputs.map { key, shape in
            tape.input(drawn("\(name)/\(key)", shape, scale: scale)) {
                results["d.\(key)"] = $0.copied()
            }
        }
        let (loss, sum, mean) = function(variables)
        results["sum"] = Tensor([sum], [])
        results["mean"] = Tensor([mean], [])
        tape.backward(from: loss, upstream: Tensor([0.7], []))
        table.compare(name, kind: kind, results)
        // Without a backward pass the same number.
        let still = Tape(.evaluation)
        let constants = inputs.map { key, shape in
            still.constant(drawn("\(name)/\(key)", shape, scale: scale))
        }
        let evaluated = function(constants).sum
        #expect(abs(evaluated - sum) <= 1e-6 * abs(sum), "\(name) without backward")
    }

    private func ofClasses(_ table: ReferenceTable, _ target: Tensor) {
        compare(table, "crossEntropy", "cross-entropy") { crossEntropy($0[0], labels: labels) }
        compare(table, "crossEntropy", "cross-entropy large", scale: 60) {
            crossEntropy($0[0], labels: labels)
        }
        compare(table, "crossEntropy", "cross-entropy wide", [("x", [6, 70])]) {
            crossEntropy($0[0], labels: labels)
        }
        compare(table, "crossEntropy", "cross-entropy ignored") {
            crossEntropy($0[0], labels: ignored)
        }
        compare(table, "crossEntropy", "cross-entropy smoothed") {
            crossEntropy($0[0], labels: labels, smoothing: 0.1)
        }
        compare(table, "crossEntropy", "cross-entropy classes") {
            crossEntropy($0[0], labels: labels, classWeights: classes)
        }
        compare(table, "crossEntropy", "cross-entropy all") {
            crossEntropy($0[0], labels: ignored, smoothing: 0.3, classWeights: classes)
        }
        compare(table, "crossEntropy", "cross-entropy rows") {
            crossEntropy($0[0], labels: labels, weights: rows)
        }
        let sums: [(String, [Int32], Shape, Double)] = [
            ("", labels, [6, 5], 2), (" ignored", ignored, [6, 5], 2),
            (" large", labels, [6, 70], 60),
        ]
        for (suffix, labels, shape, scale) in sums {
            compareSums(
                table, "softmaxCrossEntropy", "softmax cross-entropy\(suffix)", [("x", shape)],
                scale: scale
            ) {
                let (loss, sums) = softmaxCrossEntropy($0[0], labels: labels)
                return (loss, sums.lossSum, sums.lossSum / Float(sums.sampleCount))
            }
        }
        compare(table, "crossEntropy", "cross-entropy soft") { crossEntropy($0[0], target: target) }
        compare(table, "crossEntropy", "cross-entropy soft classes") {
            let loss = crossEntropy($0[0], target: target, classWeights: classes)
            #expect(loss.weight == 6)
            return loss
        }
        compare(table, "negativeLogLikelihood", "negative log-likelihood") {
            negativeLogLikelihood(logSoftmax($0[0]), labels: labels)
        }
        compare(table, "negativeLogLikelihood", "negative log-likelihood all") {
            negativeLogLikelihood(
                logSoftmax($0[0]), labels: ignored, classWeights: classes)
        }
    }

    private func ofValues(_ table: ReferenceTable, _ target: Tensor) {
        let values = drawn("values", [6, 5], scale: 2)
        compare(table, "squaredLoss", "squared") { squaredLoss($0[0], target: values) }
        compare(table, "squaredLoss", "squared rows") {
            squaredLoss($0[0], target: values, weights: rows)
        }
        compare(table, "absoluteLoss", "absolute") { absoluteLoss($0[0], target: values) }
        compare(table, "huberLoss", "huber") { huberLoss($0[0], target: values) }
        compare(table, "huberLoss", "huber wide") { huberLoss($0[0], target: values, delta: 2.5) }
        compare(table, "logisticLoss", "logistic") { logisticLoss($0[0], target: target) }
        compare(table, "logisticLoss", "logistic large", scale: 80) {
            logisticLoss($0[0], target: target)
        }
        compare(table, "logisticLoss", "logistic positives") {
            logisticLoss($0[0], target: target, positiveWeights: classes)
        }
        let sparse = target.copied()
        for (column, value) in [0, 1, 0, 0, 0].enumerated() {
            sparse.pointer[column] = Float(value)
        }
        compare(table, "divergenceLoss", "divergence") {
            divergenceLoss(logSoftmax($0[0]), target: sparse)
        }
        compare(table, "divergenceLoss", "divergence of logs") {
            divergenceLoss(logSoftmax($0[0]), target: values, targetIsLogarithm: true)
        }
    }

    private func ofPairs(_ table: ReferenceTable) {
        compare(
            table, "gaussianDivergence", "gaussian divergence",
            [("means", [4, 7]), ("logs", [4, 7])]
        ) {
            gaussianDivergence(means: $0[0], logVariances: $0[1])
        }
        compare(table, "cosineLoss", "cosine", [("a", [6, 5]), ("b", [6, 5])]) {
            cosineLoss($0[0], $0[1], signs: [1, -1, -1, 1, -1, 1], margin: 0.1)
        }
        let shapes: [(String, Shape)] = [
            ("centers", [4, 9]), ("positives", [4, 9]), ("negatives", [4, 3, 9]),
        ]
        compare(table, "negativeSamplingLoss", "negative sampling", shapes) {
            negativeSamplingLoss(centers: $0[0], positives: $0[1], negatives: $0[2])
        }
    }

    private func ofSequences(_ table: ReferenceTable) {
        let three: [[Int32]] = [[1, 2, 3], [4, 4], [2]]
        compare(table, "ctcLoss", "ctc", [("x", [3, 7, 5])]) { ctcLoss($0[0], labels: three) }
        compare(table, "ctcLoss", "ctc lengths", [("x", [3, 7, 5])], scale: 5) {
            ctcLoss($0[0], labels: three, lengths: [7, 3, 4])
        }
        compare(table, "ctcLoss", "ctc blank", [("x", [2, 6, 4])]) {
            ctcLoss($0[0], labels: [[0, 1, 1], []], lengths: [6, 5], blank: 3)
        }
        compare(table, "ctcLoss", "ctc long", [("x", [1, 90, 6])], scale: 3) {
            ctcLoss($0[0], labels: [[1, 2, 3, 3, 4, 5, 5, 5, 1, 2, 1, 2, 3, 4]])
        }
        compare(table, "ctcLoss", "ctc impossible", [("x", [2, 4, 4])]) {
            ctcLoss($0[0], labels: [[1, 2, 3, 1, 2], [1]], zeroInfinity: true)
        }
    }
}
