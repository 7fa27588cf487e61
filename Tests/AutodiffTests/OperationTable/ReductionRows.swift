import Autodiff
import Glibc
import Tensors

private func average(_ list: [Double]) -> Double { list.reduce(0, +) / Double(list.count) }

private func squaredDeviations(_ list: [Double]) -> Double {
    let middle = average(list)
    return list.reduce(0) { $0 + ($1 - middle) * ($1 - middle) }
}

private func softmaxRow(_ x: DoubleArray, _ index: [Int]) -> Double {
    let columns = x.shape.last ?? 1
    let row = (0..<columns).map { x[Array(index.dropLast()) + (index.isEmpty ? [] : [$0])] }
    return Glibc.exp(x[index]) / row.reduce(0) { $0 + Glibc.exp($1) }
}

private func places(_ indices: Indices, _ tape: Tape) -> Variable {
    tape.constant(Tensor(indices.values.map(Float.init), indices.shape))
}

private func cumulative(
    _ x: DoubleArray, axis: Int, _ isCounted: @escaping (_ here: Int, _ other: Int) -> Bool
) -> DoubleArray {
    DoubleArray(x.shape) { index in
        (0..<x.shape[axis]).reduce(0) { sum, place in
            var other = index
            other[axis] = place
            return isCounted(index[axis], place) ? sum + x[other] : sum
        }
    }
}

extension OperationRow {
    static func reductions() -> [OperationRow] {
        var rows: [OperationRow] = []
        rows.append(
            reduction(
                "sum", ofNothing: true, { sum($0, axes: $1, keepDimensions: $2) },
                { $0.reduce(0, +) }))
        rows.append(reduction("mean", { mean($0, axes: $1, keepDimensions: $2) }, average))
        rows.append(
            reduction("max", { max($0, axes: $1, keepDimensions: $2) }, { $0.max() ?? 0 }))
        rows.append(
            reduction("min", { min($0, axes: $1, keepDimensions: $2) }, { $0.min() ?? 0 }))
        rows.append(
            reduction(
                "variance", { variance($0, axes: $1, correction: 0, keepDimensions: $2) },
                { squaredDeviations($0) / Double($0.count) }))
        rows.append(unbiasedVariance())
        rows.append(
            reduction(
                "logSumExp", { logSumExp($0, axes: $1, keepDimensions: $2) },
                { list in Glibc.log(list.reduce(0) { $0 + Glibc.exp($1) }) }))
        rows.append(
            reduction(
                "norm", { norm($0, axes: $1, keepDimensions: $2) },
                { list in list.reduce(0) { $0 + $1 * $1 }.squareRoot() }))
        rows.append(
            reduction(
                "norm", { norm($0, .one, axes: $1, keepDimensions: $2) },
                { list in list.reduce(0) { $0 + Swift.abs($1) } }))
        rows.append(cumulativeSums())
        rows.append(extremePlaces("argmax", { argmax($0, axis: $1) }, >))
        rows.append(extremePlaces("argmin", { argmin($0, axis: $1) }, <))
        rows.append(rowwise("softmax", softmax, softmaxRow))
        rows.append(rowwise("logSoftmax", logSoftmax) { Glibc.log(softmaxRow($0, $1)) })
        return rows
    }

    private static func unbiasedVariance() -> OperationRow {
        listed(
            "variance, unbiased", functions: ["variance"],
            [
                .of([3, 4], apply: { variance($0[0], axes: [1]) }) { inputs in
                    inputs[0].reduce([1], keep: false) {
                        squaredDeviations($0) / Double($0.count - 1)
                    }
                }
            ])
    }

    private static func cumulativeSums() -> OperationRow {
        let shapes: [(Shape, Int)] = [
            ([3, 4], 1), ([3, 4], 0), ([2, 3, 5], 1), ([1], 0), ([0], 0), ([4, 0, 2], 1),
        ]
        return listed(
            "cumsum",
            shapes.flatMap { shape, axis -> [OperationCase] in
                [
                    .of(shape, apply: { cumsum($0[0], axis: axis) }) {
                        cumulative($0[0], axis: axis) { $1 <= $0 }
                    },
                    .of(shape, apply: { cumsum($0[0], axis: axis, reverse: true) }) {
                        cumulative($0[0], axis: axis) { $1 >= $0 }
                    },
                    .of(shape, apply: { cumsum($0[0], axis: axis, exclusive: true) }) {
                        cumulative($0[0], axis: axis) { $1 < $0 }
                    },
                    .of(
                        shape,
                        apply: { cumsum($0[0], axis: axis, reverse: true, exclusive: true) }
                    ) { cumulative($0[0], axis: axis) { $1 > $0 } },
                ]
            }
        ).refusing(["cumsum", "axis 2", "3x4"]) { tape in
            _ = cumsum(tape.constant(Tensor(zeros: [3, 4])), axis: 2)
        }
    }

    private static func extremePlaces(
        _ name: String, _ operation: @escaping (Tensor, Int) -> Indices,
        _ wins: @escaping (Double, Double) -> Bool
    ) -> OperationRow {
        let shapes: [(Shape, Int)] = [
            ([3, 4], 1), ([3, 4], 0), ([2, 3, 5], 1), ([1], 0), ([0, 3], 1), ([40, 37], -1),
        ]
        return listed(
            name, isDifferentiable: false,
            shapes.map { shape, axis in
                // Halves of integers: equals are frequent, and the first of them counts.
                func coarse(_ x: Double) -> Double { (x * 2).rounded() }
                return .of(
                    shape,
                    apply: { inputs in
                        let x = Tensor(
                            inputs[0].value.scalars.map { ($0 * 2).rounded() }, inputs[0].shape)
                        return places(operation(x, axis), inputs[0].tape)
                    },
                    reference: {
                        $0[0].map(coarse).reduce([axis], keep: false) { list in
                            var best = 0
                            for place in list.indices where wins(list[place], list[best]) {
                                best = place
                            }
                            return Double(best)
                        }
                    })
            }
        ).refusing([name, "over no elements", "3x0"]) { _ in
            _ = operation(Tensor(zeros: [3, 0]), 1)
        }
    }

    private static func rowwise(
        _ name: String, _ operation: @escaping (Variable) -> Variable,
        _ reference: @escaping (DoubleArray, [Int]) -> Double
    ) -> OperationRow {
        let shapes: [Shape] = [[3, 4], [2, 3, 5], [1], [4, 1], [0, 3], [3, 0], [], [3, 37]]
        return listed(
            name,
            shapes.map { shape in
                .of(shape, apply: { operation($0[0]) }) { inputs in
                    DoubleArray(inputs[0].shape) { reference(inputs[0], $0) }
                }
            })
    }
}
