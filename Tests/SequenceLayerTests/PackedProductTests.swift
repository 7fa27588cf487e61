import CKernels
import Kernels
import Tensors
import TestSupport
import Testing

/// The product of recurrent steps is one chain of fused multiply-adds per element, for every width of vectors
/// and wherever an element lies in a tile.
@Suite struct PackedProductTests {
    @Test(
        .enabled(if: rondo_fused_width() > 0),
        arguments: [
            // rows, columns, inner
            (1, 1, 1), (2, 16, 16), (3, 17, 5), (6, 32, 33), (7, 31, 15), (12, 64, 20),
            (13, 70, 48), (25, 33, 3), (32, 100, 40), (0, 5, 5), (4, 6, 0),
        ])
    func isOneChainForEveryWidth(rows: Int, columns: Int, inner: Int) {
        var generator = SplitMix(seed: 31)
        let strideA = inner + 3
        let strideC = columns + 2
        let a = generator.tensor([rows, strideA])
        let weight = generator.tensor([inner, columns])
        let before = generator.tensor([rows, strideC])
        let transposed = Tensor(uninitialized: [columns, inner])
        rondo_transpose(transposed.pointer, weight.pointer, inner, columns)
        let count = Int(rondo_packed_count(Int64(inner), Int64(columns)))
        let packed = Tensor(uninitialized: [count])
        let scratch = Tensor(uninitialized: [rows * (inner + 15)])
        for width in [8, 16] where width <= rondo_fused_width() {
            for adding in [false, true] {
                for isTransposed in [false, true] {
                    if isTransposed {
                        rondo_pack_weight_columns(
                            packed.pointer, transposed.pointer, Int64(inner), Int64(columns))
                    } else {
                        rondo_pack_weight_rows(
                            packed.pointer, weight.pointer, Int64(inner), Int64(columns))
                    }
                    let c = before.copied()
                    rondo_packed_product(
                        Int64(width), c.pointer, Int64(strideC), adding, a.pointer,
                        Int64(strideA), Int64(rows), Int64(inner), packed.pointer, Int64(columns),
                        scratch.pointer)
                    let expected = before.copied()
                    for row in 0..<rows {
                        for column in 0..<columns {
                            var sum = adding ? before.pointer[row * strideC + column] : 0
                            for k in 0..<inner {
                                sum.addProduct(
                                    a.pointer[row * strideA + k],
                                    weight.pointer[k * columns + column])
                            }
                            expected.pointer[row * strideC + column] = sum
                        }
                    }
                    #expect(c.scalars == expected.scalars, "width \(width), adding \(adding)")
                }
            }
        }
    }
}
