import CKernels
import Kernels
import Tensors

/// The product of a recurrent step with a weight that stays the same for all steps.
///
/// A BLAS packs both sides anew in every call, which for a few dozen rows costs a third of the
/// time: LSTM of 256 units, 32 rows, 116 us a step with OpenBLAS and 73 us with the weight packed
/// once (Zen 5, one thread; 174 and 150 us with AVX2 kernels).
struct RecurrentProduct {
    private let weight: UnsafePointer<Float>
    private let isTransposed: Bool
    /// The weight packed; nil where OpenBLAS multiplies.
    private let packed: Tensor?
    private let rows: Int, columns: Int, inner: Int

    /// c[rows, columns] (+)= a[rows, inner] * weight[inner, columns], or of weight[columns, inner]
    /// transposed. The weight must not change as long as this value is used.
    init(
        _ weight: UnsafePointer<Float>, isTransposed: Bool, rows: Int, columns: Int, inner: Int,
        isBlocked: Bool
    ) {
        self.weight = weight
        self.isTransposed = isTransposed
        self.rows = rows
        self.columns = columns
        self.inner = inner
        guard isBlocked else {
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
        packed = target
    }

    func callAsFunction(
        _ a: RecurrentOperand, into c: UnsafeMutablePointer<Float>, stride strideC: Int,
        adding: Bool
    ) {
        guard let packed else {
            matrixProduct(
                a.pointer, weight, transposeB: isTransposed, into: c, m: rows, n: columns,
                k: inner, beta: adding ? 1 : 0, strideA: a.stride, strideC: strideC)
            return
        }
        rondo_packed_product(
            Int64(Arithmetic.fusedWidth), c, Int64(strideC), adding, a.pointer, Int64(rows),
            Int64(inner), packed.pointer, Int64(columns))
    }
}

/// The rows of a step as the left side of a product: in blocks of 16 columns, or `stride` floats
/// apart.
struct RecurrentOperand {
    let pointer: UnsafePointer<Float>
    let stride: Int
}

/// The left sides of the products of a sequence's steps, kept for the gradient of the weight: in
/// blocks, which all products but OpenBLAS's read.
struct RecurrentInputs {
    private let rows: Int, columns: Int
    /// The blocks of each step; empty if rows are read as they lie.
    private let blocks: Tensor
    private let stepCount: Int
    private let isBlocked: Bool

    init(rows: Int, columns: Int, steps: Int, isBlocked: Bool) {
        self.rows = rows
        self.columns = columns
        self.isBlocked = isBlocked
        stepCount = rows * Int(rondo_blocked_columns(Int64(columns)))
        blocks = Tensor(uninitialized: [isBlocked ? steps * stepCount : 0])
    }

    func take(
        step: Int, _ values: UnsafePointer<Float>, stride: Int
    ) -> RecurrentOperand {
        guard isBlocked else { return RecurrentOperand(pointer: values, stride: stride) }
        let target = blocks.pointer + step * stepCount
        rondo_block_rows(target, nil, values, Int64(stride), Int64(rows), Int64(columns))
        return RecurrentOperand(pointer: target, stride: 0)
    }

    /// The blocks from a step on.
    func steps(from step: Int) -> rondo_blocked_steps {
        rondo_blocked_steps(
            first: blocks.pointer + step * stepCount, stride: Int64(stepCount),
            columns: Int64(columns))
    }
}
