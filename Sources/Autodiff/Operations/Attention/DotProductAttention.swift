import CKernels
import Kernels
import Tensors

// Scaled dot-product attention (Vaswani et al. 2017, section 3.2.1), softmax(Q K^T * scale + mask)
// V.
//
// The scores of the whole batch are never in memory at once. Work goes by tiles: up to `tileRows`
// queries of one head of one sample against the keys that they can see.
//
//   forward    S = Q K^T            product      backward   dP = dO V^T              product
//              P = softmax(S)       in place                dV += dropout(P)^T dO    product
//              O = dropout(P) V     product                 dS = P (dP - sum(P dP))  in place
//                                                           dQ = dS K, dK += dS^T Q  products
//
// Heads are columns of the projected queries, keys and values and are read and written where they
// lie, with strides; nothing is transposed or copied. A small P is kept for backward. For a large
// one only two numbers per row are kept, the largest score and the inverse sum; backward computes P
// again, to the same bits (Dao et al. 2022, section 3.1).

/// softmax(queries keys^T * scale + mask) values, head by head.
///
/// - Parameters:
///   - queries, keys: `heads` times `headWidth` columns; values: `heads` times `valueWidth`
///     columns. They may be columns of one variable.
///   - scale: 1 / sqrt(headWidth) where nil.
///   - dropout: probability that a weight is dropped in training.
///   - map: filled with the probabilities if given.
/// - Returns: [N, Tq, heads * valueWidth] in the layout of the queries; rows that see no key are
///   zero.
/// Cost: 4 N heads Tq Tk headWidth FLOPs forward, half of it if causal; 2 to 2.5 times that
/// backward.
public func scaledDotProductAttention(
    queries: AttentionOperand, keys: AttentionOperand, values: AttentionOperand, heads: Int,
    headWidth: Int, valueWidth: Int? = nil, mask: AttentionMask = .none, scale: Float? = nil,
    dropout: Float = 0, map: AttentionMap? = nil
) -> Variable {
    let tape = queries.variable.tape
    let plan = AttentionPlan(
        queries: queries, keys: keys, values: values, heads: heads, headWidth: headWidth,
        valueWidth: valueWidth ?? headWidth, mask: mask,
        scale: scale ?? 1 / Float(headWidth).squareRoot(), dropout: dropout)
    let isRecorded = [queries, keys, values].contains { $0.variable.needsDerivative }
    let (y, kept) = plan.forward(keeping: isRecorded, map: map)
    return tape.record(
        y, from: [queries.variable, keys.variable, values.variable], flops: plan.flops
    ) { upstream in
        plan.backward(upstream, kept)
    }
}
