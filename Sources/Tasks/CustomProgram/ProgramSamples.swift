import Autodiff
import Learning
import Models
import NeuralNetworks
import Tensors

/// A program's data with their loss.
package struct ProgramSamples: @unchecked Sendable {
    // The loss may hold a closure of the program; only the thread that trains calls it.

    package let training: Samples
    package let test: Samples
    package let loss: Loss

    package init(training: Samples, test: Samples, loss: Loss) {
        self.training = training
        self.test = test
        self.loss = loss
    }

    /// The output that the loss needs for one sample; nil where anything will do.
    var outputShape: Shape? {
        switch (loss, training.targets) {
        case (.custom, _): return nil
        case (_, .values(let values)): return Shape(Array(values.shape.dimensions.dropFirst()))
        case (_, .classes(let classes, let count)):
            let perSample = classes.count / training.count
            return perSample == 1 ? [count] : [perSample, count]
        }
    }

    /// What one sample is to a network.
    var input: FeatureShape {
        let sample = Shape(Array(training.inputs.shape.dimensions.dropFirst()))
        guard let shape = FeatureShape(sample: sample) else {
            preconditionFailure("samples of \(sample)")
        }
        return shape
    }

    var outputCount: Int {
        switch training.targets {
        case .classes(_, let count): count
        case .values(let values): values.shape.columns
        }
    }

    /// For the configuration.
    package var targets: TargetKind {
        if case .classes = training.targets { .classes } else { .values }
    }

    /// The loss of a batch, summed over its samples.
    func loss(
        of batch: Batch, _ network: Sequential, _ classification: ClassificationLoss, on tape: Tape
    ) -> (loss: Variable, sums: LossSums) {
        let output = network(tape.constant(batch.inputs))
        switch loss {
        case .crossEntropy:
            return classification(output, labels: batch.classes)
        case .meanSquaredError:
            guard let values = batch.values else {
                preconditionFailure("meanSquaredError needs values, not classes")
            }
            let perSample = Float(values.count / batch.count)
            return summed(squaredLoss(output, target: values).loss * (1 / perSample), batch, output)
        case .custom(let function):
            return summed(function(output, batch) * Float(batch.count), batch, output)
        }
    }

    private func summed(
        _ loss: Variable, _ batch: Batch, _ output: Variable
    ) -> (loss: Variable, sums: LossSums) {
        precondition(loss.value.count == 1, "a loss is a scalar, not \(loss.shape)")
        return (
            loss,
            LossSums(
                lossSum: loss.value.pointer[0], correctCount: correctCount(batch, output),
                sampleCount: batch.count)
        )
    }

    /// Samples whose largest score is that of their class, where scores have that form.
    private func correctCount(_ batch: Batch, _ output: Variable) -> Int {
        guard batch.classes.count == output.shape.rows else { return 0 }
        let columns = output.shape.columns
        let scores = output.value.scalars
        return batch.classes.enumerated().count { row, label in
            let row = row * columns..<(row + 1) * columns
            return row.max { scores[$0] < scores[$1] } == row.lowerBound + Int(label)
        }
    }
}
