import CKernels
import Glibc
import Kernels
import Tensors

// y = (x - mean) / sqrt(variance + epsilon) * weight + bias, per channel (Ioffe and Szegedy 2015).
//
// In training, mean and (biased) variance are those of this pass, that is of one replica's batch:
// they never depend on how replicas are dealt to workers. They are functions of x, so backward has,
// with xhat the normalised input and M rows,
//   dx = weight / deviation * (dy - sum(dy) / M - xhat * sum(dy * xhat) / M)
// which is a * dy + b * x + d with three numbers per channel. In evaluation mean and variance are
// the running ones, which are constants: dx = weight / deviation * dy.

/// Batch normalisation over all dimensions but the last.
///
/// - Parameters:
///   - x: [..., C]; weight, bias, runningMean, runningVariance: [C].
///   - residual: added to the result, in the shape of x; the end of a residual block.
///   - relu: whether to return max(., 0) of that.
/// In training the pass adds its mean and unbiased variance, times its sample count, to the running
/// statistics' contributions; in evaluation the running values are used.
public func batchNormalization(
    _ x: Variable, weight: Parameter, bias: Parameter, runningMean: RunningStatistic,
    runningVariance: RunningStatistic, epsilon: Float, adding residual: Variable? = nil,
    relu: Bool = false
) -> Variable {
    let channels = x.shape.columns
    require(
        weight.shape == [channels] && bias.shape == [channels],
        "batchNorm: weight \(weight.shape), bias \(bias.shape), x \(x.shape)")
    require(
        residual.map { $0.shape == x.shape } ?? true,
        "batchNorm: x \(x.shape), residual \(residual.map { "\($0.shape)" } ?? "none")")
    let isTraining = x.tape.settings.isTraining
    let (mean, variance) =
        isTraining
        ? batchStatistics(of: x, contributingTo: runningMean, runningVariance)
        : (runningMean.value, runningVariance.value)
    let y = normalized(
        x.value, mean, variance, weight.value, bias.value, epsilon, adding: residual?.value,
        relu: relu)
    let gradient = BatchNormGradient(
        x: x, y: y, mean: mean, variance: variance, weight: weight, bias: bias, residual: residual,
        epsilon: epsilon, relu: relu, usesBatch: isTraining)
    let inputs = [x] + (residual.map { [$0] } ?? [])
    return x.tape.record(y, from: inputs, using: [weight, bias]) { upstream in
        gradient.backward(&upstream)
    }
}

/// Returns mean and biased variance of the rows and adds them to the running statistics'
/// contributions.
private func batchStatistics(
    of x: Variable, contributingTo runningMean: RunningStatistic,
    _ runningVariance: RunningStatistic
) -> (mean: Tensor, variance: Tensor) {
    let rows = x.shape.rows
    let channels = x.shape.columns
    let mean = Tensor(uninitialized: [channels])
    let variance = Tensor(uninitialized: [channels])
    rondo_batch_statistics(mean.pointer, variance.pointer, x.value.pointer, rows, channels)
    if !x.tape.isRepetition {
        let samples = Float(x.tape.settings.sampleCount)
        runningMean.contribute(mean, times: samples)
        // PyTorch's running variance is the unbiased one.
        runningVariance.contribute(
            variance, times: samples * Float(rows) / Float(max(rows - 1, 1)))
    }
    return (mean, variance)
}

/// The values that backward needs of one batch normalisation.
private struct BatchNormGradient {
    let x: Variable, y: Tensor
    let mean: Tensor, variance: Tensor
    let weight: Parameter, bias: Parameter
    let residual: Variable?
    let epsilon: Float
    let relu: Bool
    /// Whether mean and variance are those of x.
    let usesBatch: Bool

    func backward(_ upstream: inout Tensor) {
        let rows = x.shape.rows
        let channels = x.shape.columns
        let inverseDeviation = inverseDeviations(variance, epsilon)
        let sums = Tensor(uninitialized: [2, channels])
        let dySum = sums.pointer
        let dyScaled = sums.pointer + channels
        // Masked in place; the result goes on as the gradient of the residual.
        if relu {
            let masked = upstream.isUnique() ? upstream : Tensor(uninitialized: x.shape)
            rondo_batch_norm_masked_sums(
                dySum, dyScaled, masked.pointer, upstream.pointer, y.pointer, x.value.pointer,
                mean.pointer, inverseDeviation.pointer, rows, channels)
            upstream = masked
        } else {
            rondo_batch_norm_sums(
                dySum, dyScaled, upstream.pointer, x.value.pointer, mean.pointer,
                inverseDeviation.pointer, rows, channels)
        }
        x.tape.addGradient(dySum, count: channels, to: bias)
        x.tape.addGradient(dyScaled, count: channels, to: weight)
        if let residual { residual.tape.addGradient(upstream, to: residual) }
        guard x.isDifferentiated else { return }
        let factors = factors(inverseDeviation, sums)
        let dx = upstream.isUnique() ? upstream : Tensor(uninitialized: x.shape)
        rondo_batch_norm_gradient(
            dx.pointer, upstream.pointer, x.value.pointer, factors.pointer,
            factors.pointer + channels, factors.pointer + 2 * channels, rows, channels)
        x.tape.addGradient(dx, to: x)
    }

    /// [3, C]: a, b and d of dx = a * dy + b * x + d.
    private func factors(_ inverseDeviation: Tensor, _ sums: Tensor) -> Tensor {
        let channels = sums.shape.columns
        let factors = Tensor(uninitialized: [3, channels])
        let a = factors.pointer
        let b = a + channels
        let d = b + channels
        let dySum = sums.pointer
        let dyScaled = sums.pointer + channels
        let inverseRows = 1 / Float(x.shape.rows)
        for c in 0..<channels {
            let deviation = inverseDeviation.pointer[c]
            let scale = weight.value.pointer[c] * deviation
            a[c] = scale
            b[c] = usesBatch ? -scale * deviation * dyScaled[c] * inverseRows : 0
            d[c] = usesBatch ? -scale * dySum[c] * inverseRows - b[c] * mean.pointer[c] : 0
        }
        return factors
    }
}

extension RunningStatistic {
    /// contribution += seen * factor
    func contribute(_ seen: Tensor, times factor: Float) {
        guard let contribution else { return }
        if !contributionIsWritten {
            contribution.pointer.update(repeating: 0, count: contribution.count)
            contributionIsWritten = true
        }
        rondo_multiply_add(contribution.pointer, seen.pointer, factor, seen.count)
    }
}

private func inverseDeviations(_ variance: Tensor, _ epsilon: Float) -> Tensor {
    let result = Tensor(uninitialized: variance.shape)
    for c in 0..<variance.count { result.pointer[c] = 1 / sqrtf(variance.pointer[c] + epsilon) }
    return result
}

private func normalized(
    _ x: Tensor, _ mean: Tensor, _ variance: Tensor, _ weight: Tensor, _ bias: Tensor,
    _ epsilon: Float, adding residual: Tensor?, relu: Bool
) -> Tensor {
    let scale = inverseDeviations(variance, epsilon)
    let shift = Tensor(uninitialized: mean.shape)
    for c in 0..<mean.count {
        scale.pointer[c] *= weight.pointer[c]
        shift.pointer[c] = bias.pointer[c] - mean.pointer[c] * scale.pointer[c]
    }
    let y = Tensor(uninitialized: x.shape)
    rondo_normalize_rows(
        y.pointer, x.pointer, scale.pointer, shift.pointer, residual?.pointer, relu, x.shape.rows,
        mean.count)
    return y
}
