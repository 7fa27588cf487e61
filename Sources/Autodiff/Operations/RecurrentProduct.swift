import CKernels
import Kernels
import Tensors

/// The product of a recurrent step with a weight that stays the same for all steps.
///
/// A BLAS packs the weight anew in every call, which for a few dozen rows costs a third of the time: LSTM of 256
/// units, 32 rows, 116 us a step with OpenBLAS and 73 us with the weight packed once (Zen 5, one
/// thread; 174 and 150 us with AVX2 kernels).
struct RecurrentProduct {
    private let weight: UnsafePointer<Float>
    private let isTransposed: Bool
    /// The weight packed, and room for the left side; nil where OpenBLAS multiplies.
    private let packed: (weight: Tensor, scratch: Tensor)?
    private let rows: Int, columns: Int, inner: Int

    /// From here on packing pays.
    private static let packedSteps = 4

    /// c[rows, columns] (+)= a[rows, inner] * weight[inner, columns], or of weight[columns, inner] transposed.
    /// The weight must not change meanwhile.
    init(
        _ weight: UnsafePointer<Float>, isTransposed: Bool, rows: Int, columns: Int, inner: Int,
        steps: Int
    ) {
        self.weight = weight
        self.isTransposed = isTransposed
        self.rows = rows
        self.columns = columns
        self.inner = inner
        guard Arithmetic.fusedWidth > 0, steps >= Self.packedSteps else {
            packed = nil
            return
        }
        let (k, n) = (Int64(inner), Int64(columns))
        let target = Tensor(uninitialized: [Int(rondo_packed_count(k, n))])
        if isTransposed {
            rondo_pack_weight_columns(target.pointer, weight, k, n)
        } else {
            rondo_pack_weight_rows(target.pointer, weight, k, n)
        }
        packed = (target, Tensor(uninitialized: [rows * ((inner + 15) / 16 * 16)]))
    }

    func callAsFunction(
        _ a: UnsafePointer<Float>, stride strideA: Int, into c: UnsafeMutablePointer<Float>,
        stride strideC: Int, adding: Bool
    ) {
        guard let packed else {
            matrixProduct(
                a, weight, transposeB: isTransposed, into: c, m: rows, n: columns, k: inner,
                beta: adding ? 1 : 0, strideA: strideA, strideC: strideC)
            return
        }
        rondo_packed_product(
            Int64(Arithmetic.fusedWidth), c, Int64(strideC), adding, a, Int64(strideA),
            Int64(rows), Int64(inner), packed.weight.pointer, Int64(columns),
            packed.scratch.pointer)
    }
}
