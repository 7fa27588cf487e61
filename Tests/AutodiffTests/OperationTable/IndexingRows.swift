import Autodiff
import Tensors

private func zeros(_ tape: Tape, _ shape: Shape) -> Variable { tape.constant(Tensor(zeros: shape)) }

extension OperationRow {
    static func indexing() -> [OperationRow] {
        [selections(), embeddings(), gathers(), scatters(), oneHots(), choices(), fillings()]
    }

    private static func selections() -> OperationRow {
        let cases: [(Shape, Indices, Int)] = [
            ([4, 3], [2, 0, 2], 0), ([2, 4, 3], [3, 3, 1], 1), ([2, 3], [1, 0, 2, 1], -1),
            ([5, 2], Indices([1, 4, 4, 0], [2, 2]), 0), ([3, 2], Indices([], [0]), 0),
            ([3], Indices([1], []), 0),
        ]
        return listed(
            "indexSelect",
            cases.map { shape, indices, axis in
                let place = axis < 0 ? axis + shape.rank : axis
                return .of(shape, apply: { indexSelect($0[0], indices, axis: axis) }) { inputs in
                    let rank = indices.shape.rank
                    let sizes =
                        Array(shape.dimensions[..<place]) + indices.shape.dimensions
                        + Array(shape.dimensions[(place + 1)...])
                    let table = DoubleArray(
                        indices.shape.dimensions, values: indices.values.map(Double.init))
                    return DoubleArray(sizes) { index in
                        let row = Int(table[Array(index[place..<place + rank])])
                        return inputs[0][
                            Array(index[..<place]) + [row] + Array(index[(place + rank)...])]
                    }
                }
            }
        ).refusing(["indexSelect", "index 4", "0..<4"]) {
            _ = indexSelect(zeros($0, [4, 3]), [4])
        }
    }

    /// The table's gradient is checked in IndexingTests; here the values.
    private static func embeddings() -> OperationRow {
        let tokens: [Int32] = [3, 1, 1, 0, 3, 3]
        return listed(
            "embedding", isDifferentiable: false,
            [
                .of(
                    [4, 2],
                    apply: {
                        embedding(
                            tokens, shape: [2, 3], weight: Parameter($0[0].value), tape: $0[0].tape)
                    },
                    reference: { inputs in
                        DoubleArray([2, 3, 2]) { index in
                            inputs[0][[Int(tokens[index[0] * 3 + index[1]]), index[2]]]
                        }
                    })
            ])
    }

    private static let places: [(Shape, Indices, Int)] = [
        ([3, 4], Indices([0, 3, 3, 1, 2, 2], [3, 2]), 1),
        ([3, 2], Indices([2, 0, 2, 1, 1, 1, 0, 0], [4, 2]), 0),
        ([2, 3, 2], Indices([0, 2, 1, 1, 2, 2, 0, 0], [2, 2, 2]), 1),
        ([3], Indices([], [0]), 0),
    ]

    private static func gathers() -> OperationRow {
        listed(
            "gather",
            places.map { shape, indices, axis in
                .of(shape, apply: { gather($0[0], indices, axis: axis) }) { inputs in
                    let table = DoubleArray(
                        indices.shape.dimensions, values: indices.values.map(Double.init))
                    return DoubleArray(indices.shape.dimensions) { index in
                        var source = index
                        source[axis] = Int(table[index])
                        return inputs[0][source]
                    }
                }
            }
        ).refusing(["gather", "2x2", "3x4"]) {
            _ = gather(zeros($0, [3, 4]), Indices([0, 0, 0, 0], [2, 2]), axis: 1)
        }
    }

    private static func scatters() -> OperationRow {
        listed(
            "scatterAdd",
            places.map { shape, indices, axis in
                .of(
                    shape, indices.shape,
                    apply: { scatterAdd($0[0], indices, $0[1], axis: axis) },
                    reference: { inputs in
                        var sums = inputs[0]
                        for (place, index) in DoubleArray.indices(indices.shape.dimensions)
                            .enumerated()
                        {
                            var target = index
                            target[axis] = Int(indices.values[place])
                            sums[target] += inputs[1][index]
                        }
                        return sums
                    })
            }
        ).refusing(["scatterAdd", "3x2", "3x3"]) {
            _ = scatterAdd(
                zeros($0, [3, 4]), Indices([0, 0, 0, 0, 0, 0], [3, 2]), zeros($0, [3, 3]), axis: 1)
        }
    }

    private static func oneHots() -> OperationRow {
        listed(
            "oneHot", isDifferentiable: false,
            [
                .of(
                    [],
                    apply: { $0[0].tape.constant(oneHot(Indices([2, 0, 1, 1], [2, 2]), size: 3)) }
                ) { _ in DoubleArray([2, 2, 3], values: [0, 0, 1, 1, 0, 0, 0, 1, 0, 0, 1, 0]) }
            ]
        ).refusing(["oneHot", "index -1"]) { _ in _ = oneHot([-1], size: 3) }
    }

    private static func choices() -> OperationRow {
        let cases: [(Shape, Shape, Shape)] = [
            ([2, 3], [2, 3], [2, 3]), ([3], [2, 3], []), ([2, 1], [3], [2, 3]), ([], [2], [2, 1]),
            ([2, 3, 1], [], []), ([0], [0], []),
        ]
        return listed(
            "select",
            cases.map { condition, a, b in
                let mask = Tensor((0..<condition.count).map { Float($0 % 2) }, condition)
                return .of(a, b, apply: { select(where: mask, $0[0], $0[1]) }) { inputs in
                    let truth = DoubleArray(mask)
                    let sizes = DoubleArray.broadcastShape(
                        DoubleArray.broadcastShape(truth.shape, inputs[0].shape), inputs[1].shape)
                    return DoubleArray(sizes) {
                        truth.repeated($0) != 0 ? inputs[0].repeated($0) : inputs[1].repeated($0)
                    }
                }
            }
        ).refusing(["select", "2x3", "4"]) {
            _ = select(where: Tensor(zeros: [2, 3]), zeros($0, [4]), zeros($0, [1]))
        }
    }

    private static func fillings() -> OperationRow {
        listed(
            "maskedFill",
            [([2, 3], [2, 3]), ([2, 3], [3]), ([2, 2, 3], [2, 1]), ([0], [0])].map {
                (shape: Shape, maskShape: Shape) in
                let mask = Tensor((0..<maskShape.count).map { Float($0 % 2) }, maskShape)
                return .of(shape, apply: { maskedFill($0[0], mask, value: -7) }) { inputs in
                    DoubleArray(shape.dimensions) {
                        DoubleArray(mask).repeated($0) != 0 ? -7 : inputs[0][$0]
                    }
                }
            }
        ).refusing(["maskedFill", "2x4", "2x3"]) {
            _ = maskedFill(zeros($0, [2, 3]), Tensor(zeros: [2, 4]), value: 0)
        }
    }
}
