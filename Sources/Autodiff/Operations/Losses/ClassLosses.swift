import CKernels
import Kernels
import Tensors

/// Cross-entropy of softmax(logits) with labels.
///
/// - Parameters:
///   - logits: [..., classes]; labels: one per row.
///   - ignoredLabel: rows with this label count nothing; all others must be in 0 ..< classes.
///   - smoothing: the share of the target that is spread over all classes (Szegedy et al. 2016,
///     section 7).
///   - classWeights: factors by class, of the loss and of the divisor.
///   - weights: factors by row.
/// - Returns: the sum; the divisor is the sum of the weights of the rows that count.
public func crossEntropy(
    _ logits: Variable, labels: [Int32], ignoredLabel: Int32 = -100, smoothing: Float = 0,
    classWeights: [Float]? = nil, weights: [Float]? = nil
) -> WeightedLoss {
    require((0...1).contains(smoothing), "crossEntropy: smoothing \(smoothing)")
    return classLoss(
        logits, labels, ignoredLabel, smoothing, classWeights, weights
    ) { losses, rowWeights, derivatives, targets, rows, columns in
        rondo_cross_entropy(
            losses, rowWeights, derivatives, logits.value.pointer, &targets, rows, columns)
    }
}

/// The same from log-probabilities, without smoothing: the sum of -x[label].
public func negativeLogLikelihood(
    _ logProbabilities: Variable, labels: [Int32], ignoredLabel: Int32 = -100,
    classWeights: [Float]? = nil, weights: [Float]? = nil
) -> WeightedLoss {
    classLoss(
        logProbabilities, labels, ignoredLabel, 0, classWeights, weights
    ) { losses, rowWeights, derivatives, targets, rows, columns in
        rondo_negative_log_likelihood(
            losses, rowWeights, derivatives, logProbabilities.value.pointer, &targets, rows,
            columns)
        return 0
    }
}

/// Cross-entropy of softmax(logits) with probabilities as targets; divisor: rows.
public func crossEntropy(
    _ logits: Variable, target: Tensor, classWeights: [Float]? = nil, weights: [Float]? = nil
) -> WeightedLoss {
    require(target.shape == logits.shape, "loss: \(logits.shape) against \(target.shape)")
    let rows = logits.shape.rows
    let columns = logits.shape.columns
    checkRowWeights(weights, rows: rows)
    checkClassWeights(classWeights, columns)
    let losses = Tensor(uninitialized: [rows])
    let derivatives = derivativeMemory(for: logits)
    rondo_soft_cross_entropy(
        losses.pointer, derivatives?.pointer, logits.value.pointer, target.pointer, weights,
        classWeights, rows, columns)
    return weightedLoss(
        losses, inputs: [(logits, derivatives)], weight: rowWeight(weights, rows: rows),
        rowCount: rows)
}

private typealias ClassKernel = (
    _ losses: UnsafeMutablePointer<Float>, _ rowWeights: UnsafeMutablePointer<Float>,
    _ derivatives: UnsafeMutablePointer<Float>?, _ targets: inout rondo_class_targets,
    _ rows: Int, _ columns: Int
) -> Int

private func classLoss(
    _ x: Variable, _ labels: [Int32], _ ignored: Int32, _ smoothing: Float,
    _ classWeights: [Float]?, _ weights: [Float]?, _ kernel: ClassKernel
) -> WeightedLoss {
    let rows = x.shape.rows
    let columns = x.shape.columns
    require(labels.count == rows, "\(labels.count) labels for \(x.shape)")
    require(
        labels.allSatisfy { $0 == ignored || 0..<columns ~= Int($0) },
        "label \(labels.first { $0 != ignored && !(0..<columns ~= Int($0)) } ?? 0) is outside "
            + "0..<\(columns)")
    checkRowWeights(weights, rows: rows)
    checkClassWeights(classWeights, columns)
    let losses = Tensor(uninitialized: [rows])
    let rowWeights = Tensor(uninitialized: [rows])
    let derivatives = derivativeMemory(for: x)
    let correct = labels.withUnsafeBufferPointer { labels in
        withOptional(classWeights) { classWeights in
            withOptional(weights) { weights in
                var targets = rondo_class_targets(
                    labels: labels.baseAddress, ignored: ignored, rowWeights: weights,
                    classWeights: classWeights, smoothing: smoothing)
                return kernel(
                    losses.pointer, rowWeights.pointer, derivatives?.pointer, &targets, rows,
                    columns)
            }
        }
    }
    return weightedLoss(
        losses, inputs: [(x, derivatives)], weight: sum(of: rowWeights).pointer[0],
        correctCount: correct, rowCount: labels.count { $0 != ignored })
}

private func checkClassWeights(_ weights: [Float]?, _ classes: Int) {
    require(
        weights.map { $0.count == classes } ?? true,
        "\(weights?.count ?? 0) weights for \(classes) classes")
}

private func withOptional<Result>(
    _ values: [Float]?, _ body: (UnsafePointer<Float>?) -> Result
) -> Result {
    guard let values else { return body(nil) }
    return values.withUnsafeBufferPointer { body($0.baseAddress) }
}
