import Foundation

// PyTorch's results for one network, as reference/make_reference.py stored them, and the comparison
// with what the engine computes. A tensor is stored as its norm, its sums under eight patterns of
// random signs and a few of its elements. The differences of the eight sums, each a random-sign sum
// of the error, have the error's norm as their root mean square; so a wrong element shows wherever
// it is, and the few stored elements only help to read a failure.

struct ReferenceNumbers: Decodable {
    /// Relative to the norm of the gradient or of the running statistic.
    static let gradientTolerance = 1e-4
    /// Relative to the loss.
    static let lossTolerance = 1e-4
    /// After ten steps, relative to the norm of the parameter.
    static let parameterTolerance = 1e-4
    /// After ten steps, relative to the norm of what the parameter changed by. Float weights round
    /// at each step while they move by a hundredth of themselves or less, so it cannot be tighter;
    /// it sees what the parameter's own norm hides (weight decay, Adam's epsilon).
    static let changeTolerance = 2e-3

    let model: String
    let batchSize: Int
    /// PyTorch's shapes, by parameter.
    let shapes: [String: [Int]]
    let witness: Witness
    let gradients: Gradients
    let runs: [String: Run]

    /// Values of the formula itself.
    struct Witness: Decodable {
        /// UInt64 in decimal, which JSON's numbers could not hold.
        let bits: [String]
        let labels: [Int32]
        let images: TensorSummary
        let start: ReferenceStart
        let parameters: [String: TensorSummary]
    }

    /// One forward and backward pass over batch 0.
    struct Gradients: Decodable {
        let start: ReferenceStart
        let loss: Double
        let parameters: [String: TensorSummary]
        /// Batch norm's `running_mean` and `running_var` afterwards.
        let statistics: [String: TensorSummary]
    }

    /// As many steps as there are losses, on batches 0, 1, ...
    struct Run: Decodable {
        let start: ReferenceStart
        let settings: Settings
        let losses: [Double]
        /// Of batch 0 after the last step, in evaluation mode.
        let evaluationLoss: Double
        let parameterNorms: [String: Double]
        let changes: [String: TensorSummary]
    }

    struct Settings: Decodable {
        let type: String
        let learningRate: Double
        let weightDecay: Double
        let momentum: Double?
        let nesterov: Bool?
        let beta1: Double?
        let beta2: Double?
        let epsilon: Double?
    }

    /// Reads `reference/<model>.json` beside this file.
    static func load(_ model: String) throws -> ReferenceNumbers {
        let file = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
            .appendingPathComponent("reference/\(model).json")
        return try JSONDecoder().decode(ReferenceNumbers.self, from: Data(contentsOf: file))
    }

    /// Every parameter of a start, in PyTorch's layout.
    func initialParameters(_ start: ReferenceStart) -> [String: [Float]] {
        var values: [String: [Float]] = [:]
        for (name, shape) in shapes {
            values[name] = ReferenceFormula.initialValue(of: name, shape: shape, start: start)
        }
        return values
    }

    func batch(step: Int) -> ReferenceBatch {
        ReferenceFormula.batch(step: step, size: batchSize)
    }

    /// What is wrong with a loss, or nil.
    static func discrepancy(ofLoss loss: Double, reference: Double) -> String? {
        guard !(abs(loss - reference) <= lossTolerance * abs(reference)) else { return nil }
        return "loss \(loss), PyTorch has \(reference)"
    }
}

/// The largest of some errors: relative to the norm of the tensor (or to the loss), and as a share
/// of what is allowed.
struct LargestError {
    private(set) var error = 0.0
    private(set) var share = 0.0

    mutating func add(_ error: Double, norm: Double, tolerance: Double) {
        let relative = norm == 0 ? error : error / norm
        self.error = max(self.error, relative.isNaN ? .infinity : relative)
        let share = tolerance == 0 ? error : error / tolerance
        self.share = max(self.share, share.isNaN ? .infinity : share)
    }

    mutating func add(loss: Double, reference: Double) {
        add(
            abs(loss - reference), norm: abs(reference),
            tolerance: ReferenceNumbers.lossTolerance * abs(reference))
    }
}

extension ReferenceNumbers.Gradients {
    /// How far gradients and statistics are off.
    func measure(
        gradients: [String: [Float]], statistics: [String: [Float]],
        into largest: inout LargestError
    ) {
        for (expected, values) in [(parameters, gradients), (self.statistics, statistics)] {
            for (name, summary) in expected {
                largest.add(
                    summary.estimatedError(of: (values[name] ?? []).map(Double.init)),
                    norm: summary.norm, tolerance: Self.tolerance * summary.norm)
            }
        }
    }

    /// What is wrong with the engine's gradients, a line for each tensor that is off; empty when
    /// all agree. Tensors are in PyTorch's layout, under PyTorch's names.
    func discrepancies(ofGradients values: [String: [Float]]) -> [String] {
        byName(values, parameters.keys) { name, elements in
            parameters[name]?.discrepancy(
                of: elements.map(Double.init), relativeTolerance: Self.tolerance)
        }
    }

    /// The same for batch norm's running statistics.
    func discrepancies(ofStatistics values: [String: [Float]]) -> [String] {
        byName(values, statistics.keys) { name, elements in
            statistics[name]?.discrepancy(
                of: elements.map(Double.init), relativeTolerance: Self.tolerance)
        }
    }

    private static var tolerance: Double { ReferenceNumbers.gradientTolerance }
}

extension ReferenceNumbers.Run {
    /// How far losses and parameters are off.
    func measure(
        losses: [Double], parameters final: [String: [Float]], initial: [String: [Float]],
        into largest: inout LargestError
    ) {
        for (loss, reference) in zip(losses, self.losses) {
            largest.add(loss: loss, reference: reference)
        }
        for (name, change) in changes {
            guard let norm = parameterNorms[name], let before = initial[name],
                let after = final[name]
            else { continue }
            largest.add(
                change.estimatedError(of: zip(after, before).map { Double($0) - Double($1) }),
                norm: norm, tolerance: tolerance(ofChange: change, norm: norm))
        }
    }

    private func tolerance(ofChange change: TensorSummary, norm: Double) -> Double {
        min(
            ReferenceNumbers.parameterTolerance * norm,
            ReferenceNumbers.changeTolerance * change.norm)
    }

    /// What is wrong with the losses of the steps, a line for each that is off.
    func discrepancies(ofLosses values: [Double]) -> [String] {
        guard values.count == losses.count else {
            return ["\(values.count) losses, PyTorch has \(losses.count)"]
        }
        return zip(values, losses).enumerated().compactMap { step, pair in
            ReferenceNumbers.discrepancy(ofLoss: pair.0, reference: pair.1)
                .map { "step \(step): \($0)" }
        }
    }

    /// What is wrong with the parameters after the last step, a line for each that is off. Both
    /// tolerances are held against the same error: that of the change is that of the parameter.
    func discrepancies(
        ofParameters final: [String: [Float]], initial: [String: [Float]]
    ) -> [String] {
        byName(final, changes.keys) { name, elements in
            guard let change = changes[name], let norm = parameterNorms[name],
                let before = initial[name], before.count == elements.count
            else { return "has no initial value of its size" }
            return change.discrepancy(
                of: zip(elements, before).map { Double($0) - Double($1) },
                tolerance: tolerance(ofChange: change, norm: norm))
        }
    }
}

/// Applies a comparison to each tensor and puts its name before what it says; names that only one
/// side has are discrepancies too.
private func byName(
    _ values: [String: [Float]], _ expected: some Collection<String>,
    _ discrepancy: (_ name: String, _ elements: [Float]) -> String?
) -> [String] {
    let missing = Set(expected).subtracting(values.keys).map { "\($0): missing" }
    let unknown = Set(values.keys).subtracting(expected).map { "\($0): not known to PyTorch" }
    let different = Set(expected).intersection(values.keys).compactMap { name in
        values[name].flatMap { discrepancy(name, $0) }.map { "\(name): \($0)" }
    }
    return (missing + unknown + different).sorted()
}
