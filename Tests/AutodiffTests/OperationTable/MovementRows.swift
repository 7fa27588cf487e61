import Autodiff
import Tensors

private func replacing(_ index: [Int], _ axis: Int, _ value: Int) -> [Int] {
    var index = index
    index[axis] = value
    return index
}

private func zeros(_ tape: Tape, _ shape: Shape) -> Variable { tape.constant(Tensor(zeros: shape)) }

extension OperationRow {
    static func movement() -> [OperationRow] {
        [
            listed(
                "reshape",
                [([2, 6], [3, 4]), ([2, 3, 2], [12]), ([1], []), ([0, 3], [2, 0])].map {
                    (from: Shape, to: Shape) in
                    .of(from, apply: { reshape($0[0], to) }) {
                        DoubleArray(to.dimensions, values: $0[0].values)
                    }
                }
            ).refusing(["reshape", "2x3", "4x2"]) { _ = reshape(zeros($0, [2, 3]), [4, 2]) },
            listed(
                "squeeze",
                [
                    .of([2, 1, 3, 1], apply: { squeeze($0[0]) }) {
                        DoubleArray([2, 3], values: $0[0].values)
                    },
                    .of([2, 1, 3, 1], apply: { squeeze($0[0], axes: [1]) }) {
                        DoubleArray([2, 3, 1], values: $0[0].values)
                    },
                ]
            ).refusing(["squeeze", "2x3"]) { _ = squeeze(zeros($0, [2, 3]), axes: [0]) },
            listed(
                "unsqueeze",
                [
                    .of([2, 3], apply: { unsqueeze($0[0], axis: 1) }) {
                        DoubleArray([2, 1, 3], values: $0[0].values)
                    },
                    .of([2, 3], apply: { unsqueeze($0[0], axis: -1) }) {
                        DoubleArray([2, 3, 1], values: $0[0].values)
                    },
                ]
            ).refusing(["unsqueeze", "axis 3", "2x3"]) {
                _ = unsqueeze(zeros($0, [2, 3]), axis: 3)
            },
            permutations(), transpositions(), broadcasts(), slices(), flips(), tiles(), pads(),
            concatenations(), stacks(), splits(),
            unary("observed", { observed($0, as: "x") }, { $0 }),
            unary("checkpointed", { checkpointed($0) { square($0) * $0 } }, { $0 * $0 * $0 }),
        ]
    }

    private static func permutations() -> OperationRow {
        let cases: [(Shape, [Int])] = [
            ([2, 3, 4], [2, 0, 1]), ([2, 3, 4], [1, 0, 2]), ([2, 3, 4, 5], [0, 2, 1, 3]),
            ([35, 40], [1, 0]), ([2, 0, 3], [1, 2, 0]), ([1, 4, 1], [2, 1, 0]), ([], []),
            ([2, 3, 2, 2, 2], [4, 3, 2, 1, 0]),
        ]
        return listed(
            "permute",
            cases.map { shape, axes in
                .of(shape, apply: { permute($0[0], axes) }) { inputs in
                    DoubleArray(axes.map { shape[$0] }) { index in
                        var source = index
                        for (place, axis) in axes.enumerated() { source[axis] = index[place] }
                        return inputs[0][source]
                    }
                }
            }
        ).refusing(["permute", "2x3"]) { _ = permute(zeros($0, [2, 3]), [0, 0]) }
    }

    private static func transpositions() -> OperationRow {
        listed(
            "transpose",
            [([3, 4], -2, -1), ([2, 3, 4], 0, 2), ([1, 5], 0, 1), ([2, 0], 0, 1)].map {
                (shape: Shape, first: Int, second: Int) in
                .of(shape, apply: { transpose($0[0], first, second) }) { inputs in
                    func swapped(_ list: [Int]) -> [Int] {
                        var list = list
                        let rank = list.count
                        list.swapAt((first + rank) % rank, (second + rank) % rank)
                        return list
                    }
                    return DoubleArray(swapped(shape.dimensions)) { inputs[0][swapped($0)] }
                }
            }
        ).refusing(["transpose", "axis -2", "shape 3"]) { _ = transpose(zeros($0, [3])) }
    }

    private static func broadcasts() -> OperationRow {
        listed(
            "broadcast",
            [
                ([3], [2, 3]), ([2, 1], [2, 3]), ([], [2, 2]), ([1, 4], [0, 4]),
                ([2, 1, 2], [3, 2, 4, 2]),
            ]
            .map { (from: Shape, to: Shape) in
                .of(from, apply: { broadcast($0[0], to: to) }) { inputs in
                    DoubleArray(to.dimensions) { inputs[0].repeated($0) }
                }
            }
        ).refusing(["broadcast", "2x3", "2x4"]) { _ = broadcast(zeros($0, [2, 3]), to: [2, 4]) }
    }

    private static func slices() -> OperationRow {
        // shape, axis, start, count, step
        let cases: [(Shape, Int, Int, Int, Int)] = [
            ([5, 3], 0, 1, 3, 1), ([5, 3], 1, 0, 2, 1), ([2, 7, 3], 1, 1, 3, 2),
            ([2, 7, 3], 1, 6, 4, -2), ([4], 0, 2, 0, 1), ([3, 4], -1, 3, 4, -1), ([1], 0, 0, 1, 1),
        ]
        return listed(
            "slice",
            cases.map { shape, axis, start, count, step in
                let place = axis < 0 ? axis + shape.rank : axis
                return .of(
                    shape,
                    apply: {
                        step == 1
                            ? slice($0[0], axis: axis, start..<start + count)
                            : slice($0[0], axis: axis, from: start, count: count, step: step)
                    },
                    reference: { inputs in
                        DoubleArray(replacing(shape.dimensions, place, count)) {
                            inputs[0][replacing($0, place, start + $0[place] * step)]
                        }
                    })
            }
        ).refusing(["slice", "4 from 2", "5x3"]) { _ = slice(zeros($0, [5, 3]), axis: 0, 2..<6) }
    }

    private static func flips() -> OperationRow {
        listed(
            "flip",
            [
                ([3, 4], [0]), ([3, 4], nil), ([2, 3, 4], [0, 2]), ([0, 2], [0]), ([1], [0]),
                ([], nil),
            ]
            .map { (shape: Shape, axes: [Int]?) in
                .of(shape, apply: { flip($0[0], axes: axes) }) { inputs in
                    DoubleArray(shape.dimensions) { index in
                        let all = axes ?? Array(index.indices)
                        return inputs[0][
                            index.indices.map {
                                all.contains($0) ? shape[$0] - 1 - index[$0] : index[$0]
                            }]
                    }
                }
            }
        ).refusing(["flip", "axis 2", "2x3"]) { _ = flip(zeros($0, [2, 3]), axes: [2]) }
    }

    private static func tiles() -> OperationRow {
        listed(
            "tile",
            [([2, 3], [2, 2]), ([2, 3], [1, 3]), ([1], [4]), ([2, 2], [0, 1]), ([], [])].map {
                (shape: Shape, repeats: [Int]) in
                .of(shape, apply: { tile($0[0], repeats) }) { inputs in
                    DoubleArray(zip(shape.dimensions, repeats).map { $0 * $1 }) {
                        inputs[0][zip($0, shape.dimensions).map { $0 % $1 }]
                    }
                }
            }
        ).refusing(["tile", "2x3"]) { _ = tile(zeros($0, [2, 3]), [2]) }
    }

    private static func pads() -> OperationRow {
        let cases: [(Shape, [(before: Int, after: Int)], Float)] = [
            ([2, 3], [(1, 2), (0, 1)], 0), ([2, 3], [(0, 0), (2, 0)], 1.5), ([1], [(1, 1)], 0),
            ([0, 2], [(1, 0), (0, 0)], -1), ([2, 2, 2], [(1, 0), (0, 1), (1, 1)], 0),
        ]
        return listed(
            "pad",
            cases.map { shape, widths, value in
                .of(shape, apply: { pad($0[0], widths, value: value) }) { inputs in
                    DoubleArray(
                        zip(shape.dimensions, widths).map { $0 + $1.before + $1.after }
                    ) { index in
                        let source = zip(index, widths).map { $0 - $1.before }
                        let isInside = zip(source, shape.dimensions).allSatisfy {
                            $0 >= 0 && $0 < $1
                        }
                        return isInside ? inputs[0][source] : Double(value)
                    }
                }
            }
        ).refusing(["pad", "2x3"]) { _ = pad(zeros($0, [2, 3]), [(1, 1)]) }
    }

    private static func concatenations() -> OperationRow {
        func reference(_ inputs: [DoubleArray], _ axis: Int) -> DoubleArray {
            var sizes = inputs[0].shape
            sizes[axis] = inputs.reduce(0) { $0 + $1.shape[axis] }
            return DoubleArray(sizes) { index in
                var place = index[axis]
                for input in inputs {
                    if place < input.shape[axis] { return input[replacing(index, axis, place)] }
                    place -= input.shape[axis]
                }
                return .nan
            }
        }
        return listed(
            "concat",
            [
                .of([2, 3], [1, 3], apply: { concat($0, axis: 0) }) { reference($0, 0) },
                .of([2, 3], [2, 1], [2, 0], apply: { concat($0, axis: -1) }) { reference($0, 1) },
                .of([2, 2, 3], [2, 4, 3], apply: { concat($0, axis: 1) }) { reference($0, 1) },
                .of([1], apply: { concat($0, axis: 0) }) { reference($0, 0) },
                .of([2, 2], apply: { concat([$0[0], $0[0]], axis: 0) }) {
                    reference([$0[0], $0[0]], 0)
                },
            ]
        ).refusing(["concat", "2x3", "2x4"]) {
            _ = concat([zeros($0, [2, 3]), zeros($0, [2, 4])], axis: 0)
        }
    }

    private static func stacks() -> OperationRow {
        func reference(_ inputs: [DoubleArray], _ axis: Int) -> DoubleArray {
            var sizes = inputs[0].shape
            sizes.insert(inputs.count, at: axis)
            return DoubleArray(sizes) { index in
                var source = index
                return inputs[source.remove(at: axis)][source]
            }
        }
        return listed(
            "stack",
            [
                .of([2, 3], [2, 3], apply: { stack($0, axis: 0) }) { reference($0, 0) },
                .of([2, 3], [2, 3], [2, 3], apply: { stack($0, axis: 1) }) { reference($0, 1) },
                .of([2, 3], [2, 3], apply: { stack($0, axis: -1) }) { reference($0, 2) },
                .of([], [], apply: { stack($0, axis: 0) }) { reference($0, 0) },
            ]
        ).refusing(["stack", "2x3", "2x4"]) {
            _ = stack([zeros($0, [2, 3]), zeros($0, [2, 4])], axis: 0)
        }
    }

    private static func splits() -> OperationRow {
        // The pieces are used unequally, and one not at all, so that a mix-up of gradients shows.
        func weighted(_ x: Variable, _ sizes: [Int], _ axis: Int) -> Variable {
            let pieces = split(x, sizes: sizes, axis: axis)
            return concat([pieces[0] * 2, pieces[2], pieces[0]], axis: axis)
        }
        return listed(
            "split",
            [([6, 2], [1, 2, 3], 0), ([2, 5, 3], [2, 2, 1], 1), ([3, 4], [1, 3, 0], 1)].map {
                (shape: Shape, sizes: [Int], axis: Int) in
                .of(shape, apply: { weighted($0[0], sizes, axis) }) { inputs in
                    let last = sizes[0] + sizes[2]
                    return DoubleArray(replacing(shape.dimensions, axis, last + sizes[0])) {
                        index in
                        let place = index[axis]
                        if place < sizes[0] { return 2 * inputs[0][index] }
                        if place < last {
                            return inputs[0][replacing(index, axis, place + sizes[1])]
                        }
                        return inputs[0][replacing(index, axis, place - last)]
                    }
                }
            }
        ).refusing(["split", "[1, 2]", "4x2"]) {
            _ = split(zeros($0, [4, 2]), sizes: [1, 2], axis: 0)
        }
    }
}
