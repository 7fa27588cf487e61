import Autodiff
import Tensors

private func product(
    _ a: DoubleArray, _ transposeA: Bool, _ b: DoubleArray, _ transposeB: Bool
) -> DoubleArray {
    let batch = DoubleArray.broadcastShape(
        Array(a.shape.dropLast(2)), Array(b.shape.dropLast(2)))
    let rank = a.shape.count
    let rows = a.shape[transposeA ? rank - 1 : rank - 2]
    let inner = a.shape[transposeA ? rank - 2 : rank - 1]
    let columns = b.shape[transposeB ? b.shape.count - 2 : b.shape.count - 1]
    func element(_ x: DoubleArray, _ batch: ArraySlice<Int>, _ row: Int, _ column: Int) -> Double {
        let own = batch.suffix(x.shape.count - 2)
        return x[zip(x.shape, own).map { $0 == 1 ? 0 : $1 } + [row, column]]
    }
    return DoubleArray(batch + [rows, columns]) { index in
        let place = index.dropLast(2)
        let row = index[index.count - 2]
        let column = index[index.count - 1]
        return (0..<inner).reduce(0) { sum, k in
            let left = transposeA ? element(a, place, k, row) : element(a, place, row, k)
            let right = transposeB ? element(b, place, column, k) : element(b, place, k, column)
            return sum + left * right
        }
    }
}

extension OperationRow {
    static func matrices() -> [OperationRow] {
        [products(), vectors(), dots(), outers()]
    }

    private static func products() -> OperationRow {
        // Batches of a and of b, then m, k, n.
        let batches: [([Int], [Int])] = [
            ([], []), ([2], [2]), ([2], []), ([], [2]), ([2, 1], [3]), ([3], [2, 1]),
            ([2, 3], [2, 3]),
            ([1], [4]), ([2, 3], []), ([0], []), ([2, 1], [2, 3]),
        ]
        let sizes = [(2, 3, 4), (1, 1, 1), (3, 0, 2), (0, 2, 3)]
        var cases: [OperationCase] = []
        for (batchA, batchB) in batches {
            for (m, k, n) in batchA.count + batchB.count == 0 ? sizes : [(2, 3, 4)] {
                for (transposeA, transposeB) in [
                    (false, false), (false, true), (true, false), (true, true),
                ] {
                    cases.append(
                        .of(
                            Shape(batchA + (transposeA ? [k, m] : [m, k])),
                            Shape(batchB + (transposeB ? [n, k] : [k, n])),
                            apply: {
                                matmul(
                                    $0[0], transposeA: transposeA, $0[1], transposeB: transposeB)
                            }, reference: { product($0[0], transposeA, $0[1], transposeB) }))
                }
            }
        }
        return listed("matmul", cases).refusing(["matmul", "2x3", "4x5"]) { tape in
            _ = matmul(tape.constant(Tensor(zeros: [2, 3])), tape.constant(Tensor(zeros: [4, 5])))
        }
    }

    private static func vectors() -> OperationRow {
        listed(
            "matmul of vectors", functions: ["matmul"],
            [
                .of([3], [3, 2], apply: { matmul($0[0], $0[1]) }) { inputs in
                    DoubleArray([2]) { index in
                        (0..<3).reduce(0) { $0 + inputs[0][[$1]] * inputs[1][[$1, index[0]]] }
                    }
                },
                .of([2, 2, 3], [3], apply: { matmul($0[0], $0[1]) }) { inputs in
                    DoubleArray([2, 2]) { index in
                        (0..<3).reduce(0) { $0 + inputs[0][index + [$1]] * inputs[1][[$1]] }
                    }
                },
                .of([3], [3], apply: { matmul($0[0], $0[1]) }) { inputs in
                    DoubleArray([]) { _ in
                        (0..<3).reduce(0) { $0 + inputs[0][[$1]] * inputs[1][[$1]] }
                    }
                },
            ])
    }

    private static func dots() -> OperationRow {
        listed(
            "dot",
            [1, 5, 40, 0].map { size in
                .of([size], [size], apply: { dot($0[0], $0[1]) }) { inputs in
                    DoubleArray([]) { _ in
                        zip(inputs[0].values, inputs[1].values).reduce(0) { $0 + $1.0 * $1.1 }
                    }
                }
            }
        ).refusing(["dot", "3 and 4"]) { tape in
            _ = dot(tape.constant(Tensor(zeros: [3])), tape.constant(Tensor(zeros: [4])))
        }
    }

    private static func outers() -> OperationRow {
        listed(
            "outer",
            [(2, 3), (1, 1), (0, 2)].map { (m: Int, n: Int) in
                .of([m], [n], apply: { outer($0[0], $0[1]) }) { inputs in
                    DoubleArray([m, n]) { inputs[0][[$0[0]]] * inputs[1][[$0[1]]] }
                }
            }
        ).refusing(["outer", "2x3", "4"]) { tape in
            _ = outer(tape.constant(Tensor(zeros: [2, 3])), tape.constant(Tensor(zeros: [4])))
        }
    }
}
