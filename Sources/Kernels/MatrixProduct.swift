import COpenBLAS
import Glibc

/// c = alpha * op(a) * op(b) + beta * c, all row-major and dense.
///
/// - Parameters:
///   - m, n, k: op(a) is m x k, op(b) is k x n, c is m x n.
///   - transposeA: a is stored k x m. transposeB: b is stored n x k.
///   - beta: 0 overwrites c without reading it.
/// Cost: 2 m n k FLOPs in `cblas_sgemm`. With one BLAS thread the bits do not depend on the alignment
/// of the operands (checked with OpenBLAS 0.3.21).
public func matrixProduct(
    _ a: UnsafePointer<Float>, transposeA: Bool = false, _ b: UnsafePointer<Float>,
    transposeB: Bool = false, into c: UnsafeMutablePointer<Float>, m: Int, n: Int, k: Int,
    alpha: Float = 1, beta: Float = 0, strideA: Int? = nil, strideB: Int? = nil,
    strideC: Int? = nil
) {
    precondition(
        m >= 0 && n >= 0 && k >= 0 && max(m, n, k) <= Int(Int32.max),
        "matrix product of \(m) x \(k) and \(k) x \(n)")
    _ = singleThreadDefault
    if m == 0 || n == 0 { return }
    let rowC = strideC ?? n
    if k == 0 {
        for row in 0..<m where beta == 0 {
            memset(c + row * rowC, 0, n * MemoryLayout<Float>.stride)
        }
        return
    }
    cblas_sgemm(
        CblasRowMajor, transposeA ? CblasTrans : CblasNoTrans,
        transposeB ? CblasTrans : CblasNoTrans, Int32(m), Int32(n), Int32(k), alpha, a,
        Int32(strideA ?? (transposeA ? m : k)), b, Int32(strideB ?? (transposeB ? k : n)), beta, c,
        Int32(rowC))
}
