import CKernels
import Kernels
import Tensors

/// Normalises each sample over the positions and the channels of each group (Wu and He 2018).
///
/// - Parameters:
///   - x: [N, ..., C], channels last.
///   - groups: divides C; 1 is layer norm over the whole sample, C is instance norm.
///   - weight, bias: [C].
public func groupNormalization(
    _ x: Variable, groups: Int, weight: Parameter, bias: Parameter, epsilon: Float = 1e-5
) -> Variable {
    let channels = x.shape.columns
    let samples = x.shape.rank > 1 ? x.shape[0] : 1
    require(
        groups > 0 && channels % groups == 0 && weight.shape == [channels]
            && bias.shape == [channels],
        "groupNorm: \(groups) groups, weight \(weight.shape), bias \(bias.shape), x \(x.shape)")
    let sampleCount = x.value.count / max(samples, 1)
    let positions = sampleCount / max(channels, 1)
    let y = Tensor(uninitialized: x.shape)
    // Per sample: mean [C], then 1 / deviation [C].
    let statistics = Tensor(uninitialized: [samples, 2, channels])
    for sample in 0..<samples {
        let source = x.value.pointer + sample * sampleCount
        let mean = statistics.pointer + sample * 2 * channels
        rondo_batch_statistics(mean, mean + channels, source, positions, channels)
        rondo_group_statistics(mean, mean + channels, epsilon, channels, groups)
        rondo_group_norm(
            y.pointer + sample * sampleCount, source, mean, mean + channels, weight.value.pointer,
            bias.value.pointer, positions, channels)
    }
    return x.tape.record(y, from: [x], using: [weight, bias]) { upstream in
        // Channel sums of dy and of dy * xhat, for one sample, then for all.
        let sums = Tensor(zeros: [4, channels])
        let (dySum, dyScaled) = (sums.pointer, sums.pointer + channels)
        let (biasSum, weightSum) = (sums.pointer + 2 * channels, sums.pointer + 3 * channels)
        let dx = x.isDifferentiated ? Tensor(uninitialized: x.shape) : nil
        for sample in 0..<samples {
            let source = x.value.pointer + sample * sampleCount
            let dy = upstream.pointer + sample * sampleCount
            let mean = statistics.pointer + sample * 2 * channels
            rondo_batch_norm_sums(
                dySum, dyScaled, dy, source, mean, mean + channels, positions, channels)
            rondo_add(biasSum, dySum, channels)
            rondo_add(weightSum, dyScaled, channels)
            guard let dx else { continue }
            rondo_group_norm_gradient(
                dx.pointer + sample * sampleCount, dy, source, mean, mean + channels,
                weight.value.pointer, dySum, dyScaled, positions, channels, groups)
        }
        x.tape.addGradient(weightSum, count: channels, to: weight)
        x.tape.addGradient(biasSum, count: channels, to: bias)
        if let dx { x.tape.addGradient(dx, to: x) }
    }
}
