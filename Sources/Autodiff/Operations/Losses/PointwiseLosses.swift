import CKernels
import Kernels
import Tensors

private func pointwise(
    _ kind: rondo_loss_kind, _ x: Variable, _ target: Tensor, parameter: Float = 0,
    columnWeights: [Float]? = nil, weights: [Float]?
) -> WeightedLoss {
    require(target.shape == x.shape, "loss: \(x.shape) against \(target.shape)")
    let rows = x.shape.rows
    let columns = x.shape.columns
    checkRowWeights(weights, rows: rows)
    require(
        columnWeights.map { $0.count == columns } ?? true,
        "loss: \(columnWeights?.count ?? 0) weights for \(columns) columns")
    let losses = Tensor(uninitialized: [rows])
    let derivatives = derivativeMemory(for: x)
    rondo_pointwise_loss(
        kind, losses.pointer, derivatives?.pointer, x.value.pointer, target.pointer, parameter,
        columnWeights, weights, rows, columns)
    return weightedLoss(
        losses, inputs: [(x, derivatives)],
        weight: rowWeight(weights, rows: rows) * Float(columns), rowCount: rows)
}

/// The sum of (x - target)^2; divisor: elements. Weights, here and below: one per row, 1 where nil.
public func squaredLoss(
    _ x: Variable, target: Tensor, weights: [Float]? = nil
) -> WeightedLoss {
    pointwise(rondo_loss_squared, x, target, weights: weights)
}

/// The sum of |x - target|; divisor: elements. The slope at 0 is 0.
public func absoluteLoss(
    _ x: Variable, target: Tensor, weights: [Float]? = nil
) -> WeightedLoss {
    pointwise(rondo_loss_absolute, x, target, weights: weights)
}

/// Huber's loss (1964): (x - target)^2 / 2 up to `delta`, straight beyond; divisor: elements.
public func huberLoss(
    _ x: Variable, target: Tensor, delta: Float = 1, weights: [Float]? = nil
) -> WeightedLoss {
    require(delta > 0, "huberLoss: delta \(delta)")
    return pointwise(rondo_loss_huber, x, target, parameter: delta, weights: weights)
}

/// Binary cross-entropy of logits with targets in 0...1; divisor: elements.
/// - Parameter positiveWeights: factors of the target's part, one per column.
public func logisticLoss(
    _ logits: Variable, target: Tensor, positiveWeights: [Float]? = nil, weights: [Float]? = nil
) -> WeightedLoss {
    pointwise(
        rondo_loss_logistic, logits, target, columnWeights: positiveWeights, weights: weights)
}

/// The Kullback-Leibler divergence of log-probabilities x from the target's probabilities, or
/// log-probabilities: the sum of p (log p - x); divisor: rows (PyTorch's `batchmean`).
public func divergenceLoss(
    _ x: Variable, target: Tensor, targetIsLogarithm: Bool = false, weights: [Float]? = nil
) -> WeightedLoss {
    let loss = pointwise(
        targetIsLogarithm ? rondo_loss_divergence_of_logs : rondo_loss_divergence, x, target,
        weights: weights)
    return WeightedLoss(
        loss: loss.loss, weight: rowWeight(weights, rows: loss.rowCount), correctCount: 0,
        rowCount: loss.rowCount)
}
