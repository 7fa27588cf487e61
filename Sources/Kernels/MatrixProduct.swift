import CKernels
import COpenBLAS
import Glibc

/// c = alpha * op(a) * op(b) + beta * c, all row-major and dense.
///
/// - Parameters:
///   - m, n, k: op(a) is m x k, op(b) is k x n, c is m x n.
///   - transposeA: a is stored k x m. transposeB: b is stored n x k.
///   - beta: 0 overwrites c without reading it.
///   - edge: the part that a causal mask makes needless; it may be computed nevertheless.
/// Cost: 2 m n k FLOPs. With one BLAS thread the bits do not depend on the alignment of the
/// operands (checked with OpenBLAS 0.3.21).
public func matrixProduct(
    _ a: UnsafePointer<Float>, transposeA: Bool = false, _ b: UnsafePointer<Float>,
    transposeB: Bool = false, into c: UnsafeMutablePointer<Float>, m: Int, n: Int, k: Int,
    alpha: Float = 1, beta: Float = 0, strideA: Int? = nil, strideB: Int? = nil,
    strideC: Int? = nil, edge: CausalEdge = .none
) {
    MatrixProduct(
        a: a, transposeA: transposeA, b: b, transposeB: transposeB, m: m, n: n, k: k,
        strideA: strideA ?? (transposeA ? m : k), strideB: strideB ?? (transposeB ? k : n)
    ).run(into: c, stride: strideC ?? n, alpha: alpha, beta: beta, edge: edge)
}

/// The part of a product that a causal mask leaves out. Query i sees the keys below `visible` + i.
public enum CausalEdge {
    /// Everything matters.
    case none
    /// Rows are queries, columns are keys: what is not seen may have any value.
    case columns(visible: Int)
    /// Rows are queries, the sum runs over keys: op(a) is zero where nothing is seen.
    case steps(visible: Int)
    /// Rows are keys, the sum runs over queries: op(a) is zero where nothing is seen.
    case rows(visible: Int)

    fileprivate var fields: (rondo_edge, Int64) {
        switch self {
        case .none: (rondo_edge_none, 0)
        case .columns(let visible): (rondo_edge_columns, Int64(visible))
        case .steps(let visible): (rondo_edge_steps, Int64(visible))
        case .rows(let visible): (rondo_edge_rows, Int64(visible))
        }
    }
}

/// c = op(a) * op(b) + row, the same row (a bias) for every row of c. Parameters as for the plain
/// product.
public func matrixProduct(
    _ a: UnsafePointer<Float>, transposeA: Bool = false, _ b: UnsafePointer<Float>,
    transposeB: Bool = false, into c: UnsafeMutablePointer<Float>, m: Int, n: Int, k: Int,
    adding row: UnsafePointer<Float>?
) {
    let product = MatrixProduct(
        a: a, transposeA: transposeA, b: b, transposeB: transposeB, m: m, n: n, k: k,
        strideA: transposeA ? m : k, strideB: transposeB ? k : n)
    if let row {
        product.run(into: c, adding: row)
    } else {
        product.run(into: c, stride: n, alpha: 1, beta: 0)
    }
}

/// A product with its operands, and the choice between OpenBLAS and Rondo's own kernel.
///
/// OpenBLAS packs both operands and clears the result before it adds to it. For products with a
/// small dimension that costs more than it gains. On one thread of a Zen 4 with Haswell's kernels,
/// OpenBLAS and own kernel in GFLOP/s: 64 x 64 x 32 84 and 102, 64 x 512 x 784 97 and 105, 512 x
/// 784 x 64 106 and 111. From 128 on the own kernel is faster by itself, but was not within a step,
/// so OpenBLAS computes.
package struct MatrixProduct {
    let a: UnsafePointer<Float>
    let transposeA: Bool
    let b: UnsafePointer<Float>
    let transposeB: Bool
    let m: Int, n: Int, k: Int
    let strideA: Int, strideB: Int

    /// The own kernel computes products of which a dimension is at most this.
    private static let thin = 64
    /// The own kernel computes sixteen columns at a time; with fewer, most of them would be empty.
    private static let fewestColumns = 16

    package init(
        a: UnsafePointer<Float>, transposeA: Bool, b: UnsafePointer<Float>, transposeB: Bool,
        m: Int, n: Int, k: Int, strideA: Int, strideB: Int
    ) {
        require(
            m >= 0 && n >= 0 && k >= 0 && max(m, n, k) <= Int(Int32.max),
            "matrix product of \(m) x \(k) and \(k) x \(n)")
        self.a = a
        self.transposeA = transposeA
        self.b = b
        self.transposeB = transposeB
        self.m = m
        self.n = n
        self.k = k
        self.strideA = strideA
        self.strideB = strideB
    }

    private var isThin: Bool {
        Arithmetic.fusedWidth > 0 && min(m, n, k) <= Self.thin && n >= Self.fewestColumns
    }

    func run(
        into c: UnsafeMutablePointer<Float>, stride: Int, alpha: Float, beta: Float,
        edge: CausalEdge = .none
    ) {
        if m == 0 || n == 0 { return }
        if k == 0 {
            for row in 0..<m where beta == 0 {
                memset(c + row * stride, 0, n * MemoryLayout<Float>.stride)
            }
        } else if isThin, alpha == 1, beta == 0 || beta == 1 {
            own(
                c, stride: stride, start: beta == 0 ? nil : UnsafePointer(c), startStride: stride,
                width: Arithmetic.fusedWidth, edge: edge)
        } else {
            reference(c, stride: stride, alpha: alpha, beta: beta)
        }
    }

    func run(into c: UnsafeMutablePointer<Float>, adding row: UnsafePointer<Float>) {
        if k > 0, isThin {
            own(c, stride: n, start: row, startStride: 0, width: Arithmetic.fusedWidth)
        } else {
            run(into: c, stride: n, alpha: 1, beta: 0)
            rondo_add_row(c, row, m, n)
        }
    }

    /// Runs the own kernel on vectors of `width` floats; sums begin at `start`, or at 0.
    /// - Precondition: k > 0.
    package func own(
        _ c: UnsafeMutablePointer<Float>, stride: Int, start: UnsafePointer<Float>?,
        startStride: Int, width: Int, edge: CausalEdge = .none
    ) {
        let (edge, visible) = edge.fields
        var product = rondo_product(
            rows: Int64(m), columns: Int64(n), inner: Int64(k), a: a,
            aRow: transposeA ? 1 : Int64(strideA), aStep: transposeA ? Int64(strideA) : 1, b: b,
            bStep: transposeB ? 1 : Int64(strideB), bColumn: transposeB ? Int64(strideB) : 1, c: c,
            cRow: Int64(stride), start: start, startRow: Int64(startStride),
            edge: edge, visible: visible)
        rondo_thin_product(Int64(width), &product)
    }

    /// Runs OpenBLAS, which serves every shape and processor.
    package func reference(
        _ c: UnsafeMutablePointer<Float>, stride: Int, alpha: Float, beta: Float
    ) {
        _ = singleThreadDefault
        cblas_sgemm(
            CblasRowMajor, transposeA ? CblasTrans : CblasNoTrans,
            transposeB ? CblasTrans : CblasNoTrans, Int32(m), Int32(n), Int32(k), alpha, a,
            Int32(strideA), b, Int32(strideB), beta, c, Int32(stride))
    }
}
