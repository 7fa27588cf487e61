import Autodiff
import Foundation
import Tensors
import TestSupport
import Testing

// The tests that the table generates. All are the same for every row, so an operation is tested
// fully by naming it; `everyOperationHasARow` fails until it is named.

enum OperationTable {
    static func rows() -> [OperationRow] {
        OperationRow.elementwise() + OperationRow.arithmetic() + OperationRow.comparisons()
            + OperationRow.reductions() + OperationRow.movement() + OperationRow.indexing()
            + OperationRow.matrices()
    }

    /// Rows with a call that must be refused, by their place in the table.
    static var refusing: [Int] {
        rows().enumerated().compactMap { $1.wrongCall == nil ? nil : $0 }
    }
}

@Suite struct OperationTableTests {
    static let settings = PassSettings.training(
        seed: 7, step: 3, replica: 1, microBatch: 0, sampleCount: 2)

    /// Forward and gradients of every case of every row against the reference, and run-to-run
    /// equality of their bits.
    @Test func everyCaseAgreesWithItsReference() {
        var lines: [String] = []
        var total = 0
        for row in OperationTable.rows() {
            var worst = 0.0
            var worstGradient = 0.0
            for (number, testCase) in row.cases.enumerated() {
                let seed = UInt64(total + number)
                var generator = SplitMix(seed: seed)
                let inputs = zip(testCase.shapes, testCase.ranges).map { generator.tensor($0, $1) }
                let name = "\(row.name), \(testCase.label), seed \(seed)"
                let expected = testCase.reference(inputs.map(DoubleArray.init))
                let first = run(testCase, inputs, row.isDifferentiable, seed: seed)
                #expect(first.y.shape.dimensions == expected.shape, "\(name)")
                let error = Self.error(first.y.scalars, expected.values)
                #expect(error <= row.limit, "\(name): off by \(error)")
                worst = max(worst, error)
                let second = run(testCase, inputs, row.isDifferentiable, seed: seed)
                #expect(Self.bits(first.y.scalars) == Self.bits(second.y.scalars), "\(name)")
                #expect(
                    first.gradients.map(Self.bits) == second.gradients.map(Self.bits), "\(name)")
                guard row.isDifferentiable else { continue }
                for (index, gradient) in first.gradients.enumerated() {
                    let elements = Self.sampled(gradient.count)
                    let numeric = Self.slope(testCase, inputs, index, elements, first.upstream)
                    let error = Self.error(elements.map { gradient[$0] }, numeric)
                    #expect(error <= 1e-5, "\(name): gradient \(index) is off by \(error)")
                    worstGradient = max(worstGradient, error)
                }
            }
            total += row.cases.count
            lines.append(Self.line(row, worst, worstGradient))
        }
        print(
            "operation            cases   forward  gradient  (largest error / max(1, |reference|))")
        print(lines.joined(separator: "\n"))
        print("\(OperationTable.rows().count) rows, \(total) cases")
        #expect(total > 300)
    }

    /// Wrong arguments end the program and say which.
    @Test(arguments: OperationTable.refusing)
    func wrongArgumentsAreNamed(place: Int) async throws {
        let row = OperationTable.rows()[place]
        let words = try #require(row.wrongCall).words
        let result = try await #require(
            processExitsWith: .failure, observing: [\.standardErrorContent]
        ) { [place] in
            OperationTable.rows()[place].wrongCall?.call(Tape(OperationTableTests.settings))
        }
        let text = String(decoding: result.standardErrorContent, as: UTF8.self)
        for word in words { #expect(text.contains(word), "\(row.name) said: \(text)") }
    }

    private struct Outcome {
        let y: Tensor
        let upstream: Tensor
        let gradients: [[Float]]
    }

    private func run(
        _ testCase: OperationCase, _ inputs: [Tensor], _ isDifferentiable: Bool, seed: UInt64
    ) -> Outcome {
        let tape = Tape(Self.settings)
        guard isDifferentiable else {
            let y = testCase.apply(inputs.map { tape.constant($0.copied()) }).value
            return Outcome(y: y, upstream: y, gradients: [])
        }
        var gradients = inputs.map { [Float](repeating: 0, count: $0.count) }
        let variables = inputs.enumerated().map { index, input in
            tape.input(input.copied()) { gradients[index] = $0.scalars }
        }
        let y = testCase.apply(variables)
        var generator = SplitMix(seed: seed ^ 0xFFFF)
        let upstream = generator.tensor(y.shape, -1...1)
        tape.backward(from: y, upstream: upstream.copied())
        return Outcome(y: y.value, upstream: upstream, gradients: gradients)
    }

    /// All elements of a small input, every few of a large one: the references are slow.
    private static func sampled(_ count: Int) -> [Int] {
        Array(stride(from: 0, to: count, by: max(1, count / 60)))
    }

    /// The derivative of sum(upstream * reference) by central differences in Double.
    private static func slope(
        _ testCase: OperationCase, _ inputs: [Tensor], _ index: Int, _ elements: [Int],
        _ upstream: Tensor
    ) -> [Double] {
        let step = 1e-5
        var arrays = inputs.map(DoubleArray.init)
        let weights = upstream.scalars.map(Double.init)
        return elements.map { element in
            func difference(_ distance: Double) -> [Double] {
                let before = arrays[index].values[element]
                defer { arrays[index].values[element] = before }
                arrays[index].values[element] = before + distance
                return testCase.reference(arrays).values
            }
            let above = difference(step)
            let below = difference(-step)
            let change = zip(weights, zip(above, below)).reduce(0) { $0 + $1.0 * ($1.1.0 - $1.1.1) }
            return change / (2 * step)
        }
    }

    private static func error(_ values: [Float], _ expected: [Double]) -> Double {
        guard values.count == expected.count else { return .infinity }
        return zip(values, expected).reduce(0) { worst, pair in
            let difference = abs(Double(pair.0) - pair.1) / max(1, abs(pair.1))
            return difference.isNaN ? .infinity : max(worst, difference)
        }
    }

    private static func bits(_ values: [Float]) -> [UInt32] { values.map(\.bitPattern) }

    private static func line(_ row: OperationRow, _ forward: Double, _ gradient: Double) -> String {
        let name = row.name.padding(toLength: 20, withPad: " ", startingAt: 0)
        let numbers = String(format: "%6d  %8.1e", row.cases.count, forward)
        return name + numbers
            + (row.isDifferentiable ? String(format: "  %8.1e", gradient) : "         -")
    }
}
