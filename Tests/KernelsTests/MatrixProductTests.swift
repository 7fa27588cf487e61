import CKernels
import Kernels
import Testing

/// The own product is one chain of fused multiply-adds per element, for every width of vectors and
/// wherever an element lies in a tile or a panel; OpenBLAS is near it.
@Suite struct MatrixProductTests {
    private static func values(_ count: Int, seed: UInt64) -> [Float] {
        var state = seed
        return (0..<count).map { _ in
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return Float(Int32(truncatingIfNeeded: state >> 33)) / 2_147_483_648
        }
    }

    private enum Start: CaseIterable { case zero, itself, row }

    @Test(
        .enabled(if: rondo_fused_width() > 0),
        arguments: [
            // rows, columns, inner: around the tiles (6, 12 x 16, 32), the blocks (16), the panels
            // (32 x 256)
            (1, 1, 1), (2, 16, 16), (3, 17, 5), (6, 32, 33), (7, 31, 15), (12, 64, 20),
            (13, 70, 48), (25, 33, 3), (32, 100, 40), (5, 40, 256), (14, 35, 257), (2, 47, 600),
        ])
    func isOneChainForEveryWidth(rows: Int, columns: Int, inner: Int) {
        let a = Self.values((rows + 3) * (inner + 3), seed: 1)
        let b = Self.values((columns + 3) * (inner + 3), seed: 2)
        let before = Self.values(rows * (columns + 2), seed: 3)
        let row = Self.values(columns, seed: 4)
        let strideC = columns + 2
        for (transposeA, transposeB) in [
            (false, false), (true, false), (false, true), (true, true),
        ] {
            let strideA = (transposeA ? rows : inner) + 3
            let strideB = (transposeB ? inner : columns) + 3
            for start in Start.allCases {
                var expected = before
                for i in 0..<rows {
                    for j in 0..<columns {
                        var sum: Float =
                            switch start {
                            case .zero: 0
                            case .itself: before[i * strideC + j]
                            case .row: row[j]
                            }
                        for s in 0..<inner {
                            sum.addProduct(
                                a[transposeA ? s * strideA + i : i * strideA + s],
                                b[transposeB ? j * strideB + s : s * strideB + j])
                        }
                        expected[i * strideC + j] = sum
                    }
                }
                let product = MatrixProduct(
                    a: a, transposeA: transposeA, b: b, transposeB: transposeB, m: rows,
                    n: columns, k: inner, strideA: strideA, strideB: strideB)
                for width in [8, 16] where width <= rondo_fused_width() {
                    var c = before
                    run(product, into: &c, stride: strideC, start, row: row, width: width)
                    #expect(c == expected, "width \(width), \(start), \(transposeA) \(transposeB)")
                }
                guard start == .zero else { continue }
                var c = before
                product.reference(&c, stride: strideC, alpha: 1, beta: 0)
                for (value, other) in zip(c, expected) {
                    #expect(abs(value - other) < 1e-5 * Float(inner + 1))
                }
            }
        }
    }

    private func run(
        _ product: MatrixProduct, into c: inout [Float], stride: Int, _ start: Start,
        row: [Float], width: Int
    ) {
        c.withUnsafeMutableBufferPointer { c in
            guard let c = c.baseAddress else { return }
            row.withUnsafeBufferPointer { row in
                switch start {
                case .zero:
                    product.own(c, stride: stride, start: nil, startStride: 0, width: width)
                case .itself:
                    product.own(
                        c, stride: stride, start: UnsafePointer(c), startStride: stride,
                        width: width)
                case .row:
                    product.own(
                        c, stride: stride, start: row.baseAddress, startStride: 0, width: width)
                }
            }
        }
    }

    /// An edge leaves out what a causal mask hides, for every width and wherever the tile begins.
    @Test(
        .enabled(if: rondo_fused_width() > 0),
        arguments: [
            // queries, keys, keys that the first query sees: square, longer, none seen by some, one
            // panel and more
            (64, 64, 1), (30, 50, 21), (20, 16, -3), (40, 300, 261), (300, 40, -259),
        ])
    func skipsWhatIsHidden(queries: Int, keys: Int, visible: Int) {
        let width = 33
        let left = Self.values(queries * width, seed: 1)
        let right = Self.values(keys * width, seed: 2)
        var weights = Self.values(queries * keys, seed: 3)
        for i in 0..<queries {
            for j in 0..<keys where j >= visible + i { weights[i * keys + j] = 0 }
        }
        func expectEqual(
            _ product: MatrixProduct, rows: Int, columns: Int, _ edge: CausalEdge,
            seen: (Int) -> Bool = { _ in true }
        ) {
            let count = rows * columns
            for vectors in [8, 16] where vectors <= rondo_fused_width() {
                var whole = [Float](repeating: 7, count: count)
                var part = whole
                product.own(&whole, stride: columns, start: nil, startStride: 0, width: vectors)
                product.own(
                    &part, stride: columns, start: nil, startStride: 0, width: vectors,
                    edge: edge)
                #expect((0..<count).allSatisfy { !seen($0) || whole[$0] == part[$0] }, "\(edge)")
            }
        }
        let scores = MatrixProduct(
            a: left, transposeA: false, b: right, transposeB: true, m: queries, n: keys, k: width,
            strideA: width, strideB: width)
        expectEqual(scores, rows: queries, columns: keys, .columns(visible: visible)) {
            $0 % keys < visible + $0 / keys
        }
        let outputs = MatrixProduct(
            a: weights, transposeA: false, b: right, transposeB: false, m: queries, n: width,
            k: keys, strideA: keys, strideB: width)
        expectEqual(outputs, rows: queries, columns: width, .steps(visible: visible))
        let gradients = MatrixProduct(
            a: weights, transposeA: true, b: left, transposeB: false, m: keys, n: width,
            k: queries, strideA: keys, strideB: width)
        expectEqual(gradients, rows: keys, columns: width, .rows(visible: visible))
        // A product holds no more than the addresses.
        withExtendedLifetime((left, right, weights)) {}
    }

    /// Both kernels add a bias to every row.
    @Test(arguments: [(3, 20, 7), (3, 5, 7), (70, 80, 90), (4, 17, 0)])
    func addsARow(rows: Int, columns: Int, inner: Int) {
        let a = Self.values(rows * inner + 1, seed: 1)
        let b = Self.values(inner * columns + 1, seed: 2)
        let row = Self.values(columns, seed: 3)
        var plain = [Float](repeating: 7, count: rows * columns)
        var added = plain
        matrixProduct(a, b, into: &plain, m: rows, n: columns, k: inner)
        row.withUnsafeBufferPointer { row in
            matrixProduct(
                a, b, into: &added, m: rows, n: columns, k: inner, adding: row.baseAddress)
        }
        for index in plain.indices {
            let expected = plain[index] + row[index % columns]
            #expect(abs(added[index] - expected) < 1e-5 * Float(inner + 1))
        }
    }
}
