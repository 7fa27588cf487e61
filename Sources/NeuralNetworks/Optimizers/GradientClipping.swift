import Autodiff
import CKernels

// Clipping comes after the reduction over replicas: the norm is that of the whole step's gradient,
// from equal bits on every worker in a fixed order, so all workers scale alike, however the
// replicas are dealt.

/// What bounds the gradient of a step.
public enum GradientClipping: Sendable, Equatable {
    /// Nothing.
    case none
    /// The Euclidean norm over all parameters: a longer gradient is shortened to it, as PyTorch's
    /// `clip_grad_norm_` (Pascanu et al. 2013, algorithm 1).
    case globalNorm(Double)
    /// Each element by itself: those beyond +-limit become it.
    case value(Double)

    /// Bounds a reduced gradient.
    ///
    /// - Parameters:
    ///   - gradients: sums over the samples, `count` of them; changed by `value` alone.
    ///   - gradientScale: what the optimizer multiplies them by; bounds are meant after it.
    /// - Returns: the scale to give the optimizer, and the norm before clipping (nil for `value`
    ///   and `none`, which do not need it).
    /// Cost: one pass over the gradients; the shortening itself costs nothing.
    public func apply(
        to gradients: UnsafeMutablePointer<Float>, count: Int, gradientScale: Float
    ) -> (gradientScale: Float, norm: Double?) {
        apply(to: gradients, count: count, rows: [], gradientScale: gradientScale)
    }

    /// The same for a gradient that has rows of sparse tables, too: rows that are not there are
    /// zero.
    package func apply(
        to gradients: UnsafeMutablePointer<Float>, count: Int, rows: [RowGradients],
        gradientScale: Float
    ) -> (gradientScale: Float, norm: Double?) {
        switch self {
        case .none: return (gradientScale, nil)
        case .globalNorm(let limit):
            var squares = rondo_square_sum(gradients, count)
            // In the order of the rows, which does not depend on who touched them first.
            for table in rows {
                table.forEachAscending { squares += rondo_square_sum($1, table.width) }
            }
            let norm = squares.squareRoot() * Double(gradientScale)
            // 1e-6 as in PyTorch. A norm that is not a number leaves the scale: the loss shows it.
            let factor = limit / (norm + 1e-6)
            return (factor < 1 ? Float(Double(gradientScale) * factor) : gradientScale, norm)
        case .value(let limit):
            if gradientScale > 0 {
                let bound = Float(limit / Double(gradientScale))
                rondo_limit(gradients, bound, count)
                for table in rows {
                    table.forEachAscending { rondo_limit($1, bound, table.width) }
                }
            }
            return (gradientScale, nil)
        }
    }
}
