import CKernels
import Kernels
import Tensors

/// The sum over samples of -log softmax(logits)[label].
///
/// - Parameters:
///   - logits: [..., classes]; labels: one per row, in 0 ..< classes, or negative for a row that is
///     not counted (padding).
/// - Returns: a scalar, the *sum* (the mean is taken after the reduction over replicas), and the
///   counts.
/// Backward is (softmax - onehot), in one pass.
public func softmaxCrossEntropy(
    _ logits: Variable, labels: [Int32]
) -> (loss: Variable, sums: LossSums) {
    let rows = logits.shape.rows
    let classes = logits.shape.columns
    require(labels.count == rows, "\(labels.count) labels for logits \(logits.shape)")
    require(
        labels.allSatisfy { Int($0) < classes },
        "label \(labels.max() ?? 0) is not below \(classes)")
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
