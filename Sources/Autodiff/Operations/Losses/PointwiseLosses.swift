import CKernels
import Tensors

// Losses are sums, with what the mean has to be divided by beside them: parts of a batch, computed anywhere, are
// added up and divided once, so a replica with fewer tokens does not count more per token.
//
// Each loss computes its derivatives together with its value; backward hands them over, scaled where the
// upstream gradient is not 1. A row is all dimensions but the last; its weight multiplies its loss and its
// share of the divisor.

/// A sum of losses and its divisor.
public struct WeightedLoss {
    /// The sum, a scalar to run backward from.
    public let loss: Variable
    /// What the sum is divided by for PyTorch's `mean`: samples, tokens, elements, or their weights.
    public let weight: Float
    /// Rows whose largest logit is at the label; 0 where there is no label.
    public let correctCount: Int
    /// Rows that count.
    public let rowCount: Int

    /// The sum.
    public var sum: Float { loss.value.pointer[0] }
    /// The sum divided by the weight; 0 where nothing counts.
    public var mean: Float { weight == 0 ? 0 : sum / weight }
    /// Sums for a step, which adds them up over its parts and divides by the weight.
    public var sums: LossSums {
        LossSums(
            lossSum: sum, correctCount: correctCount, sampleCount: rowCount, weight: weight)
    }
}

/// Puts a loss on the tape: the sum of `losses`, with the derivative for each input.
func weightedLoss(
    _ losses: Tensor, inputs: [(variable: Variable, derivative: Tensor?)], weight: Float,
    correctCount: Int = 0, rowCount: Int
) -> WeightedLoss {
    guard let tape = inputs.first?.variable.tape else {
        preconditionFailure("a loss without inputs")
    }
    let total = sum(of: losses)
    let loss = tape.record(total, from: inputs.map(\.variable)) { upstream in
        let factor = upstream.pointer[0]
        for (variable, derivative) in inputs {
            guard let derivative else { continue }
            // Nobody else shows the derivative, and backward comes once.
            if factor != 1 { rondo_scale(derivative.pointer, factor, derivative.count) }
            tape.addGradient(derivative, to: variable)
        }
    }
    return WeightedLoss(
        loss: loss, weight: weight, correctCount: correctCount, rowCount: rowCount)
}

/// The sum of all elements, in blocks of 64.
func sum(of tensor: Tensor) -> Tensor {
    let total = Tensor(uninitialized: [])
    rondo_column_sums(total.pointer, tensor.pointer, tensor.count, 1, false)
    return total
}

/// Memory for the derivatives of x, where there will be a backward pass.
func derivativeMemory(for x: Variable) -> Tensor? {
    x.tape.settings.isTraining && x.isDifferentiated ? Tensor(uninitialized: x.shape) : nil
}

func checkRowWeights(_ weights: [Float]?, rows: Int) {
    precondition(
        weights.map { $0.count == rows } ?? true, "\(weights?.count ?? 0) weights for \(rows) rows")
}

/// The sum of the rows' weights.
func rowWeight(_ weights: [Float]?, rows: Int) -> Float {
    weights.map { $0.reduce(0, +) } ?? Float(rows)
}

private func pointwise(
    _ kind: rondo_loss_kind, _ x: Variable, _ target: Tensor, parameter: Float = 0,
    columnWeights: [Float]? = nil, weights: [Float]?
) -> WeightedLoss {
    precondition(target.shape == x.shape, "loss: \(x.shape) against \(target.shape)")
    let rows = x.shape.rows
    let columns = x.shape.columns
    checkRowWeights(weights, rows: rows)
    precondition(
        columnWeights.map { $0.count == columns } ?? true, "loss: weights for \(columns) columns")
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
    precondition(delta > 0, "huberLoss: delta \(delta)")
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
