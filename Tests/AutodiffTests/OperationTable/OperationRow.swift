import Autodiff
import Tensors

// A row of the table says everything about an operation that a test needs to know; the tests are
// the same for all. The numeric derivative is taken of the reference, in Double, so that it is
// exact to about 1e-9 and the limit can be tight.

/// One call of an operation: the shapes of its inputs and what it must give.
struct OperationCase {
    let label: String
    let shapes: [Shape]
    /// Where the inputs are drawn from, one range per input.
    let ranges: [ClosedRange<Float>]
    let apply: ([Variable]) -> Variable
    let reference: ([DoubleArray]) -> DoubleArray
}

/// A call that must end the program, and words that its message must hold.
struct WrongCall {
    let words: [String]
    let call: (Tape) -> Void
}

/// An operation: which public functions it stands for, and its cases.
struct OperationRow {
    let name: String
    /// The names of the public functions that this row tests.
    let functions: [String]
    var isDifferentiable = true
    let cases: [OperationCase]
    var wrongCall: WrongCall?
    /// Largest allowed |y - reference| / max(1, |reference|).
    var limit = 2e-6

    func refusing(_ words: [String], _ call: @escaping (Tape) -> Void) -> OperationRow {
        var row = self
        row.wrongCall = WrongCall(words: words, call: call)
        return row
    }
}

extension OperationRow {
    /// Ranks 0 to 3, sizes 0 and 1, and lengths around the width of a vector.
    static let elementwiseShapes: [Shape] = [[3, 4], [1], [], [0], [2, 0, 3], [2, 3, 37]]

    /// A function of each element.
    static func unary(
        _ name: String, in range: ClosedRange<Float> = -3...3, functions: [String]? = nil,
        _ apply: @escaping (Variable) -> Variable, _ reference: @escaping (Double) -> Double
    ) -> OperationRow {
        OperationRow(
            name: name, functions: functions ?? [name],
            cases: elementwiseShapes.map { shape in
                OperationCase(
                    label: "\(shape)", shapes: [shape], ranges: [range],
                    apply: { apply($0[0]) }, reference: { $0[0].map(reference) })
            })
    }

    /// Pairs of shapes that broadcast, in both directions.
    static let pairs: [(Shape, Shape)] = [
        ([2, 3], [2, 3]), ([2, 3], [3]), ([3], [2, 3]), ([2, 1], [1, 3]), ([], [2, 3]),
        ([2, 3], []), ([2, 1, 4], [3, 1]), ([3, 1], [2, 1, 4]), ([0, 3], [1, 3]), ([1], [1]),
        ([0], []), ([], []), ([2, 3, 1, 2], [3, 5, 1]), ([4, 37], [37]), ([4, 37], [4, 1]),
    ]

    /// A function of two elements.
    static func binary(
        _ name: String, in first: ClosedRange<Float> = -2...2,
        and second: ClosedRange<Float> = -2...2, functions: [String]? = nil,
        pairs: [(Shape, Shape)] = pairs, isDifferentiable: Bool = true,
        _ apply: @escaping (Variable, Variable) -> Variable,
        _ reference: @escaping (Double, Double) -> Double
    ) -> OperationRow {
        OperationRow(
            name: name, functions: functions ?? [name], isDifferentiable: isDifferentiable,
            cases: pairs.map { a, b in
                OperationCase(
                    label: "\(a) and \(b)", shapes: [a, b], ranges: [first, second],
                    apply: { apply($0[0], $0[1]) },
                    reference: { DoubleArray.combine($0[0], $0[1], reference) })
            },
            wrongCall: WrongCall(words: [name, "2x3", "4"]) { tape in
                _ = apply(
                    tape.constant(Tensor(zeros: [2, 3])), tape.constant(Tensor(zeros: [4])))
            })
    }

    /// Shapes and axes of reductions.
    static let reductionCases: [(Shape, [Int]?)] = [
        ([3, 4], nil), ([3, 4], [0]), ([3, 4], [1]), ([3, 4], [-1]), ([2, 3, 4], [0, 2]),
        ([2, 3, 4], [1]), ([2, 3, 4], [0, 1]), ([2, 3, 4], []), ([], nil), ([1], [0]),
        ([2, 1, 70], [0]), ([2, 70, 3], [1]), ([1, 90], nil), ([0, 3], [1]),
    ]

    /// A function of the elements along axes; sums of no elements only where `ofNothing`.
    static func reduction(
        _ name: String, in range: ClosedRange<Float> = -2...2, ofNothing: Bool = false,
        _ apply: @escaping (Variable, [Int]?, Bool) -> Variable,
        _ reference: @escaping ([Double]) -> Double
    ) -> OperationRow {
        let cases = reductionCases + (ofNothing ? [([0], nil), ([2, 0, 3], [1])] : [])
        return OperationRow(
            name: name, functions: [name],
            cases: cases.flatMap { shape, axes in
                [false, true].map { keep in
                    OperationCase(
                        label: "\(shape) over \(axes.map(String.init(describing:)) ?? "all")",
                        shapes: [shape], ranges: [range], apply: { apply($0[0], axes, keep) },
                        reference: { $0[0].reduce(axes, keep: keep, reference) })
                }
            },
            wrongCall: WrongCall(words: [name, "axis 2", "2x3"]) { tape in
                _ = apply(tape.constant(Tensor(zeros: [2, 3])), [2], false)
            })
    }

    /// Cases written out.
    static func listed(
        _ name: String, functions: [String]? = nil, isDifferentiable: Bool = true,
        _ cases: [OperationCase]
    ) -> OperationRow {
        OperationRow(
            name: name, functions: functions ?? [name], isDifferentiable: isDifferentiable,
            cases: cases)
    }
}

extension OperationCase {
    /// A case with inputs in -2...2.
    static func of(
        _ shapes: Shape..., apply: @escaping ([Variable]) -> Variable,
        reference: @escaping ([DoubleArray]) -> DoubleArray
    ) -> OperationCase {
        OperationCase(
            label: shapes.map(\.description).joined(separator: " and "), shapes: shapes,
            ranges: shapes.map { _ in -2...2 }, apply: apply, reference: reference)
    }
}
