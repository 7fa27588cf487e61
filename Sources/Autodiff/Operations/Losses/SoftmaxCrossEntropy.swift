import CKernels
import Tensors

/// What a loss saw, as sums, so that parts computed anywhere can be added up.
public struct LossSums: Sendable, Equatable {
    /// The sum of the samples' losses.
    public var lossSum: Float
    /// Samples whose largest logit is at the label.
    public var correctCount: Int
    /// Samples.
    public var sampleCount: Int
    /// What the sum and its gradient are divided by in the end; the samples, unless they are weighted.
    public var weight: Float

    /// The sums of a pass whose samples count alike.
    public init(lossSum: Float, correctCount: Int, sampleCount: Int) {
        self.init(
            lossSum: lossSum, correctCount: correctCount, sampleCount: sampleCount,
            weight: Float(sampleCount))
    }

    /// The sums of a pass.
    public init(lossSum: Float, correctCount: Int, sampleCount: Int, weight: Float) {
        self.lossSum = lossSum
        self.correctCount = correctCount
        self.sampleCount = sampleCount
        self.weight = weight
    }
}

/// The sum over samples of -log softmax(logits)[label].
///
/// - Parameters:
///   - logits: [..., classes]; labels: one per row, in 0 ..< classes, or negative for a row that is not
///     counted (padding).
/// - Returns: a scalar, the *sum* (the mean is taken after the reduction over replicas), and the counts.
/// Backward is (softmax - onehot), in one pass.
public func softmaxCrossEntropy(
    _ logits: Variable, labels: [Int32]
) -> (loss: Variable, sums: LossSums) {
    let rows = logits.shape.rows
    let classes = logits.shape.columns
    precondition(labels.count == rows, "\(labels.count) labels for logits \(logits.shape)")
    precondition(
        labels.allSatisfy { Int($0) < classes }, "a label is not below \(classes)")
    let probabilities = Tensor(uninitialized: logits.shape)
    let losses = Tensor(uninitialized: [rows])
    let correct = rondo_softmax_cross_entropy(
        probabilities.pointer, losses.pointer, logits.value.pointer, labels, rows, classes)
    let total = Tensor(uninitialized: [])
    rondo_column_sums(total.pointer, losses.pointer, rows, 1, false)
    let sampleCount = labels.count { $0 >= 0 }
    let sums = LossSums(
        lossSum: total.pointer[0], correctCount: correct, sampleCount: sampleCount,
        weight: Float(sampleCount))
    let loss = logits.tape.record(total, from: [logits]) { upstream in
        let gradient = Tensor(uninitialized: logits.shape)
        rondo_softmax_cross_entropy_gradient(
            gradient.pointer, probabilities.pointer, labels, upstream.pointer[0], rows, classes)
        logits.tape.addGradient(gradient, to: logits)
    }
    return (loss, sums)
}
