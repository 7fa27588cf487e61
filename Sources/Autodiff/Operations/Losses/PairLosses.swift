import CKernels
import Kernels
import Tensors

/// The divergence of normal distributions with diagonal covariance from the standard one, the
/// regulariser of a variational autoencoder (Kingma and Welling 2014, appendix B):
/// the sum of (mean^2 + exp(logVariance) - 1 - logVariance) / 2; divisor: rows.
public func gaussianDivergence(
    means: Variable, logVariances: Variable, weights: [Float]? = nil
) -> WeightedLoss {
    require(
        means.shape == logVariances.shape,
        "gaussianDivergence: \(means.shape) and \(logVariances.shape)")
    let rows = means.shape.rows
    checkRowWeights(weights, rows: rows)
    let losses = Tensor(uninitialized: [rows])
    let derivatives = pairMemory(means, logVariances)
    rondo_gaussian_divergence(
        losses.pointer, derivatives?.0.pointer, derivatives?.1.pointer, means.value.pointer,
        logVariances.value.pointer, weights, rows, means.shape.columns)
    return weightedLoss(
        losses, inputs: [(means, derivatives?.0), (logVariances, derivatives?.1)],
        weight: rowWeight(weights, rows: rows), rowCount: rows)
}

/// 1 - cosine(a, b) for rows with sign 1, max(0, cosine(a, b) - margin) for rows with sign -1;
/// divisor: rows.
public func cosineLoss(
    _ a: Variable, _ b: Variable, signs: [Int32], margin: Float = 0, weights: [Float]? = nil
) -> WeightedLoss {
    require(a.shape == b.shape, "cosineLoss: \(a.shape) and \(b.shape)")
    let rows = a.shape.rows
    require(
        signs.count == rows && signs.allSatisfy { $0 == 1 || $0 == -1 },
        "cosineLoss: signs \(signs) for \(rows) rows; each must be 1 or -1")
    checkRowWeights(weights, rows: rows)
    let losses = Tensor(uninitialized: [rows])
    let derivatives = pairMemory(a, b)
    rondo_cosine_loss(
        losses.pointer, derivatives?.0.pointer, derivatives?.1.pointer, a.value.pointer,
        b.value.pointer, signs, margin, weights, rows, a.shape.columns)
    return weightedLoss(
        losses, inputs: [(a, derivatives?.0), (b, derivatives?.1)],
        weight: rowWeight(weights, rows: rows), rowCount: rows)
}

private func pairMemory(_ a: Variable, _ b: Variable) -> (Tensor, Tensor)? {
    guard a.needsDerivative || b.needsDerivative else { return nil }
    return (Tensor(uninitialized: a.shape), Tensor(uninitialized: b.shape))
}

/// Skip-gram with negative sampling (Mikolov et al. 2013, equation 4):
/// -log sigmoid(center . positive) - sum over negatives of log sigmoid(-center . negative);
/// divisor: rows.
///
/// - Parameters:
///   - centers, positives: [N, D]; negatives: [N, K, D].
public func negativeSamplingLoss(
    centers: Variable, positives: Variable, negatives: Variable, weights: [Float]? = nil
) -> WeightedLoss {
    let rows = centers.shape.rows
    let columns = centers.shape.columns
    require(
        positives.shape == centers.shape && negatives.shape.rank == 3
            && negatives.shape[0] == rows && negatives.shape[2] == columns,
        "negativeSampling: \(centers.shape), \(positives.shape), \(negatives.shape)")
    checkRowWeights(weights, rows: rows)
    let losses = Tensor(uninitialized: [rows])
    let inputs = [centers, positives, negatives]
    let isWanted = inputs.contains(where: \.needsDerivative)
    let derivatives = inputs.map { isWanted ? Tensor(uninitialized: $0.shape) : nil }
    rondo_negative_sampling(
        losses.pointer, derivatives[0]?.pointer, derivatives[1]?.pointer, derivatives[2]?.pointer,
        centers.value.pointer, positives.value.pointer, negatives.value.pointer, weights, rows,
        negatives.shape[1], columns)
    return weightedLoss(
        losses, inputs: zip(inputs, derivatives).map { ($0, $1) },
        weight: rowWeight(weights, rows: rows), rowCount: rows)
}
