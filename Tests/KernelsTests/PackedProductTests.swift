import CKernels
import Kernels
import Tensors
import TestSupport
import Testing

/// The product of recurrent steps is one chain of fused multiply-adds per element, for every width
/// of vectors and wherever an element lies in a tile.
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
        let blocked = Tensor(uninitialized: [rows * (inner + 15)])
        rondo_block_rows(
            blocked.pointer, nil, a.pointer, Int64(strideA), Int64(rows), Int64(inner))
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
                        Int64(width), c.pointer, Int64(strideC), adding, blocked.pointer,
                        Int64(rows), Int64(inner), packed.pointer, Int64(columns))
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

    /// The gradient of a weight: a chain per element and chunk of 192 rows, in whole steps.
    @Test(
        .enabled(if: rondo_fused_width() > 0),
        arguments: [
            // rows, left columns, right columns, steps
            (1, 1, 1, 1), (2, 16, 16, 4), (3, 17, 5, 7), (5, 40, 33, 50), (200, 20, 16, 3),
            (32, 48, 31, 13),
        ])
    func outerProductIsOneChainPerChunk(rows: Int, left: Int, right: Int, steps: Int) {
        var generator = SplitMix(seed: 32)
        let a = generator.tensor([steps * rows, left])
        let b = generator.tensor([steps * rows, right])
        let (blocksA, sums) = blocks(a, rows: rows, steps: steps)
        let (blocksB, _) = blocks(b, rows: rows, steps: steps)
        let strideC = right + 3
        let before = generator.tensor([left, strideC])
        let chunk = max(1, 192 / rows) * rows
        for adding in [false, true] {
            let expected = before.copied()
            for i in 0..<left {
                for j in 0..<right {
                    var total = adding ? before.pointer[i * strideC + j] : 0
                    for first in stride(from: 0, to: steps * rows, by: chunk) {
                        var sum: Float = 0
                        for k in first..<min(first + chunk, steps * rows) {
                            sum.addProduct(a.pointer[k * left + i], b.pointer[k * right + j])
                        }
                        total = first == 0 && !adding ? sum : total + sum
                    }
                    expected.pointer[i * strideC + j] = total
                }
            }
            for width in [8, 16] where width <= rondo_fused_width() {
                let c = before.copied()
                rondo_blocked_outer(
                    Int64(width), c.pointer, Int64(strideC), adding, blocksA.steps, blocksB.steps,
                    Int64(rows), Int64(steps))
                #expect(c.scalars == expected.scalars, "width \(width), adding \(adding)")
            }
        }
        for column in 0..<left {
            let exact = (0..<steps * rows).reduce(0.0) { sum, row in
                sum + Double(a.pointer[row * left + column])
            }
            #expect(abs(Double(sums.pointer[column]) - exact) < 1e-4)
        }
    }

    private func blocks(
        _ values: Tensor, rows: Int, steps: Int
    ) -> (blocks: (memory: Tensor, steps: rondo_blocked_steps), sums: Tensor) {
        let columns = values.shape.columns
        let padded = Int(rondo_blocked_columns(Int64(columns)))
        let memory = Tensor(uninitialized: [steps, rows, padded])
        let sums = Tensor(zeros: [padded])
        for step in 0..<steps {
            rondo_block_rows(
                memory.pointer + step * rows * padded, sums.pointer,
                values.pointer + step * rows * columns, Int64(columns), Int64(rows),
                Int64(columns))
        }
        let steps = rondo_blocked_steps(
            first: memory.pointer, stride: Int64(rows * padded), columns: Int64(columns))
        return ((memory, steps), sums)
    }
}
