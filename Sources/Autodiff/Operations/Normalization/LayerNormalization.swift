import CKernels
import Kernels
import Tensors

/// y = (x - mean) / sqrt(variance + epsilon) * weight + bias, per row (Ba, Kiros and Hinton 2016).
///
/// - Parameters:
///   - x: [..., normalised dimensions].
///   - weight, bias: the normalised dimensions, the last of x; or nil, bias nil where weight is.
///     The dimensions of `normalized` count where there is no weight.
/// Mean and biased variance are those of one row, so no sample depends on another. Forward and
/// backward are one pass each over rows that stay in the cache.
public func layerNormalization(
    _ x: Variable, normalized: Shape, weight: Parameter? = nil, bias: Parameter? = nil,
    epsilon: Float = 1e-5
) -> Variable {
    require(
        x.shape.dimensions.suffix(normalized.rank) == normalized.dimensions[...]
            && (weight.map { $0.shape == normalized } ?? (bias == nil))
            && (bias.map { $0.shape == normalized } ?? true),
        "layerNorm over \(normalized): x \(x.shape), weight \(shapeText(weight)), "
            + "bias \(shapeText(bias))"
    )
    let columns = normalized.count
    let rows = columns == 0 ? 0 : x.value.count / columns
    let y = Tensor(uninitialized: x.shape)
    let statistics = Tensor(uninitialized: [2, rows])
    let mean = statistics.pointer
    rondo_layer_norm(
        y.pointer, mean, mean + rows, x.value.pointer, weight?.value.pointer, bias?.value.pointer,
        epsilon, rows, columns)
    return x.tape.record(y, from: [x], using: [weight, bias].compactMap { $0 }) { upstream in
        let mean = statistics.pointer
        let collects = [weight, bias].contains { $0?.collectsGradient == true }
        let sums = collects ? Tensor(uninitialized: [2, columns]) : nil
        let dx: Tensor? =
            !x.isDifferentiated
            ? nil : upstream.isUnique() ? upstream : Tensor(uninitialized: x.shape)
        rondo_layer_norm_gradient(
            dx?.pointer, sums?.pointer, sums.map { $0.pointer + columns }, upstream.pointer,
            x.value.pointer, mean, mean + rows, weight?.value.pointer, rows, columns)
        if let weight, let sums {
            x.tape.addGradient(sums.pointer, count: columns, to: weight)
            if let bias { x.tape.addGradient(sums.pointer + columns, count: columns, to: bias) }
        }
        if let dx { x.tape.addGradient(dx, to: x) }
    }
}
