import Autodiff
import Tensors
import Testing

/// Compares results with those of a reference file and prints them as a table; a case that is
/// stored but not compared is a failure.
package final class ReferenceTable {
    /// |a - b| <= absolute + relative |b|, PyTorch's `allclose`.
    package static let relative = 1e-4, absolute = 1e-5

    private let file: ReferenceFile
    private var compared: Set<String> = []
    private var table: ComparisonTable

    package init(_ title: String, _ file: ReferenceFile) {
        self.file = file
        table = ComparisonTable(title)
    }

    /// The kinds that were compared.
    package var kinds: Set<String> { table.kinds }

    /// The largest error of some numbers and its share of the tolerance; infinite where one is not
    /// a number.
    package static func comparison(
        of values: [Float], with expected: [Float]
    ) -> (error: Double, share: Double) {
        guard values.count == expected.count else { return (.infinity, .infinity) }
        var worst = (error: 0.0, share: 0.0)
        for (a, b) in zip(values, expected) where a != b {
            let error = Double((a - b).magnitude)
            let share = error / (absolute + relative * Double(b.magnitude))
            worst.error = max(worst.error, error.isNaN ? .infinity : error)
            worst.share = max(worst.share, share.isNaN ? .infinity : share)
        }
        return worst
    }

    /// Compares tensors by name, all that PyTorch has stored for the case.
    package func compare(
        _ name: String, kind: String, _ tensors: [String: Tensor],
        sourceLocation: SourceLocation = #_sourceLocation
    ) {
        let names = file.tensorNames(of: name)
        #expect(
            names == tensors.keys.sorted(), "tensors of \(name)", sourceLocation: sourceLocation)
        var worst = (error: 0.0, share: 0.0)
        for (key, tensor) in tensors.sorted(by: { $0.key < $1.key }) {
            guard let expected = file.tensor(key, of: name) else { continue }
            let (error, share) = Self.comparison(of: tensor.scalars, with: expected.scalars)
            #expect(
                share <= 1, "\(name), \(key) \(tensor.shape): \(share) of the tolerance",
                sourceLocation: sourceLocation)
            worst = (max(worst.error, error), max(worst.share, share))
        }
        table.add(kind, error: worst.error, share: worst.share)
        compared.insert(name)
    }

    /// Runs a function forward and backward with the case's upstream gradient and compares result
    /// and gradients.
    /// - Parameter parameters: drawn here under their names, scaled to 0.5 (norm weights around 1).
    package func compare(
        _ name: String, kind: String, inputs: [(name: String, shape: Shape, scale: Double)],
        parameters: [(name: String, parameter: Parameter)] = [], lossKey: String = "y",
        sourceLocation: SourceLocation = #_sourceLocation, _ function: ([Variable]) -> Variable
    ) {
        for (key, parameter) in parameters {
            let offset = key.contains("norm") && key.hasSuffix("weight") ? 1.0 : 0
            let values = drawn("\(name)/\(key)", parameter.shape, scale: 0.5, offset: offset)
            parameter.value.pointer.update(from: values.pointer, count: values.count)
            parameter.attachGradient()
        }
        let tape = Tape(GradientCheck.settings)
        var results: [String: Tensor] = [:]
        let variables = inputs.map { input in
            tape.input(drawn("\(name)/\(input.name)", input.shape, scale: input.scale)) {
                results["d.\(input.name)"] = $0.copied()
            }
        }
        let y = function(variables)
        results[lossKey] = y.value.copied()
        tape.backward(from: y, upstream: drawn("\(name)/upstream", y.shape))
        for (key, parameter) in parameters where parameter.gradientIsWritten {
            results["d.\(key)"] = parameter.gradient?.copied()
        }
        compare(name, kind: kind, results, sourceLocation: sourceLocation)
    }

    /// Prints the table and expects that no stored case was left out.
    package func finish(sourceLocation: SourceLocation = #_sourceLocation) {
        let missing = file.names.subtracting(compared).sorted()
        #expect(missing == [], "cases not compared", sourceLocation: sourceLocation)
        table.print()
    }
}
