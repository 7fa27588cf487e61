// What a task sums and what it shows of the sums. Workers and coordinator know the metrics from the
// configuration, so that only numbers travel between them. A new figure is one more sum and one
// more Figure in its task's file.

/// The sums and figures of a task.
package struct Metrics: Sendable {
    /// The sums that every step has, before the task's own: predictions (samples, or the symbols of
    /// texts), the loss of all of them, and their weight, by which the loss is divided.
    package static let stepSums = ["count", "loss", "weight"]

    /// What evaluated samples are called: "images".
    package let counted: String
    /// The task's own sums over a step's samples, beside `stepSums`.
    package let sums: [String]
    /// Figures of a step, from `stepSums` and the task's own sums.
    package let training: [Figure]
    /// The sums of an evaluation; the first counts what was evaluated.
    package let evaluationSums: [String]
    package let evaluation: [Figure]
    /// The evaluation's figure that is the loss.
    package let lossKey: String

    package init(
        counted: String, sums: [String], training: [Figure], evaluationSums: [String],
        evaluation: [Figure], lossKey: String
    ) {
        precondition(
            evaluation.contains { $0.key == lossKey }, "no figure \(lossKey) in the evaluation")
        self.counted = counted
        self.sums = sums
        self.training = training
        self.evaluationSums = evaluationSums
        self.evaluation = evaluation
        self.lossKey = lossKey
    }

    /// The figures of an evaluation.
    package func figures(ofEvaluation sums: [Double]) -> FigureValues {
        FigureValues(evaluation, evaluation.map { $0.value(sums) })
    }

    /// The figures of an evaluation that were computed elsewhere; those of another number of values
    /// are not this task's.
    package func figures(computed values: [Double]) -> FigureValues? {
        values.count == evaluation.count ? FigureValues(evaluation, values) : nil
    }

    /// What was evaluated.
    package func sampleCount(ofEvaluation sums: [Double]) -> Int {
        sums.first.flatMap { Int(exactly: $0) } ?? 0
    }

    /// The figures of an evaluation that stand under their keys somewhere; nil if one is missing.
    package func figures(_ value: (_ key: String) -> Double?) -> FigureValues? {
        let values = evaluation.compactMap { value($0.key) }
        guard values.count == evaluation.count else { return nil }
        return FigureValues(evaluation, values)
    }
}

extension Metrics {
    /// Mean loss and share of right answers in training, as every classifier has them.
    package static let trainingFigures = [
        Figure("loss", .number(decimals: 4), .lower) { $0[2] > 0 ? $0[1] / $0[2] : $0[1] },
        Figure.mean("accuracy", of: 3, over: 0, .share, .higher),
    ]
}
