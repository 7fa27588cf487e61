import Autodiff
import DataParallel
import Datasets
import Models
import Configuration
import Learning
import Tensors

// Samples that a program has in memory. They are gathered from there when a step wants them: there is nothing
// to read or to prepare ahead.

/// Inputs with what a network shall make of them.
public struct Samples: Sendable {
    /// What a network shall make of the inputs.
    public enum Targets: Sendable {
        /// A class for each sample, or for each of its steps.
        case classes([Int32], count: Int)
        /// Real values: [N, ...].
        case values(Tensor)
    }

    /// [N, ...]: [N, features], [N, steps, features] or [N, height, width, channels].
    public let inputs: Tensor
    /// One for each input.
    public let targets: Targets

    /// To be classified; `count` is the number of classes.
    ///
    /// - Precondition: a class in 0 ..< count for each input.
    public init(_ inputs: Tensor, classes: [Int], of count: Int) {
        let samples = Self.checkedCount(inputs)
        precondition(
            samples > 0 && classes.count % samples == 0 && !classes.isEmpty,
            "\(classes.count) classes for \(samples) samples")
        precondition(classes.allSatisfy { 0..<count ~= $0 }, "a class is not below \(count)")
        self.inputs = inputs
        targets = .classes(classes.map { Int32($0) }, count: count)
    }

    /// To be mapped to real values.
    ///
    /// - Precondition: as many values' rows as inputs.
    public init(_ inputs: Tensor, values: Tensor) {
        let samples = Self.checkedCount(inputs)
        precondition(
            values.shape.dimensions.first == samples && samples > 0,
            "values \(values.shape) for \(samples) samples")
        self.inputs = inputs
        targets = .values(values)
    }

    private static func checkedCount(_ inputs: Tensor) -> Int {
        let sizes = inputs.shape.dimensions
        precondition(
            (2...4).contains(sizes.count),
            "samples are [N, features], [N, steps, features] or [N, height, width, channels], not"
                + " \(inputs.shape)")
        return sizes[0]
    }

    /// How many there are.
    public var count: Int { inputs.shape.dimensions[0] }

    /// Some of the samples, in that order.
    public func batch(_ indices: [Int]) -> Batch {
        switch targets {
        case .classes(let classes, _):
            let perSample = classes.count / count
            return Batch(
                inputs: Self.rows(indices, of: inputs),
                classes: indices.flatMap { classes[$0 * perSample..<($0 + 1) * perSample] },
                values: nil)
        case .values(let values):
            return Batch(
                inputs: Self.rows(indices, of: inputs), classes: [],
                values: Self.rows(indices, of: values))
        }
    }

    private static func rows(_ indices: [Int], of tensor: Tensor) -> Tensor {
        let sizes = tensor.shape.dimensions
        let result = Tensor(uninitialized: Shape([indices.count] + sizes.dropFirst()))
        let rowCount = tensor.count / sizes[0]
        for (row, index) in indices.enumerated() {
            (result.pointer + row * rowCount).update(
                from: tensor.pointer + index * rowCount, count: rowCount)
        }
        return result
    }
}

/// Samples of one forward pass.
public struct Batch {
    /// [n, ...]
    public let inputs: Tensor
    /// One per sample, or per step of a sample; empty where the targets are values.
    public let classes: [Int32]
    /// [n, ...]; nil where the targets are classes.
    public let values: Tensor?

    /// The number of samples.
    public var count: Int { inputs.shape.dimensions[0] }
}

/// What is made small in training.
public enum Loss {
    /// For classes: softmax and cross-entropy.
    case crossEntropy
    /// For values: the mean of (output - value)^2.
    case meanSquaredError
    /// A scalar of one's own: the mean of the batch's losses. A step adds them up over all batches, each with
    /// the weight of its samples.
    case own((_ output: Variable, _ batch: Batch) -> Variable)
}

/// A program's data with their loss.
package struct ProgramSamples {
    package let training: Samples
    package let test: Samples
    package let loss: Loss

    package init(training: Samples, test: Samples, loss: Loss) {
        self.training = training
        self.test = test
        self.loss = loss
    }

    /// What the loss needs for one sample; nil where anything may do.
    var outputShape: Shape? {
        switch (loss, training.targets) {
        case (.own, _): return nil
        case (_, .values(let values)): return Shape(Array(values.shape.dimensions.dropFirst()))
        case (_, .classes(let classes, let count)):
            let perSample = classes.count / training.count
            return perSample == 1 ? [count] : [perSample, count]
        }
    }

    var outputCount: Int {
        switch training.targets {
        case .classes(_, let count): count
        case .values(let values): values.shape.columns
        }
    }

    /// For the configuration.
    package var targets: CustomDataConfiguration.Targets {
        if case .classes = training.targets { .classes } else { .values }
    }

    /// The loss of a batch, summed over its samples.
    func loss(
        of batch: Batch, _ model: TrainedModel, on tape: Tape
    ) -> (loss: Variable, sums: LossSums) {
        let output = model.layers(tape.constant(batch.inputs))
        switch loss {
        case .crossEntropy:
            return model.loss(output, labels: batch.classes)
        case .meanSquaredError:
            guard let values = batch.values else {
                preconditionFailure("meanSquaredError needs values, not classes")
            }
            let perSample = Float(values.count / batch.count)
            return summed(squaredLoss(output, target: values).loss * (1 / perSample), batch, output)
        case .own(let function):
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
            let own = scores[row * columns..<(row + 1) * columns]
            return own.indices.max { own[$0] < own[$1] } == row * columns + Int(label)
        }
    }
}

/// Training on a program's samples.
struct ProgramTask: TrainingTask {
    let plan: StepPlan
    let input: FeatureShape
    private let samples: ProgramSamples
    private let seed: UInt64
    private let evaluationBatchSize: Int

    var outputCount: Int { samples.outputCount }
    var evaluationBatchCount: Int {
        (samples.test.count + evaluationBatchSize - 1) / evaluationBatchSize
    }

    init(_ configuration: RunConfiguration, _ samples: ProgramSamples) throws(DataError) {
        plan = try configuration.stepPlan(
            dataName: "the program's samples", sampleCount: samples.training.count)
        self.samples = samples
        let sample = Shape(Array(samples.training.inputs.shape.dimensions.dropFirst()))
        guard let input = FeatureShape(sample: sample) else {
            preconditionFailure("samples of \(sample)")
        }
        self.input = input
        seed = configuration.seed
        evaluationBatchSize = configuration.evaluation.batchSize
    }

    func passes(steps: Range<Int>, replicas: Range<Int>) -> any PassSource {
        ProgramPasses(
            samples, seed: seed,
            requests: AnyIterator(
                plan.workList(steps: steps, replicas: replicas).makeIterator()))
    }

    func evaluate(batch: Int, model: TrainedModel) -> EvaluationSums {
        let start = batch * evaluationBatchSize
        let indices = Array(start..<min(start + evaluationBatchSize, samples.test.count))
        let batch = samples.test.batch(indices)
        let (_, sums) = samples.loss(of: batch, model, on: Tape(.evaluation))
        return EvaluationSums(
            lossSum: Double(sums.lossSum), correctCount: sums.correctCount,
            sampleCount: sums.sampleCount)
    }
}

/// Hands out micro-batches of a program's samples.
private final class ProgramPasses: PassSource {
    private let samples: ProgramSamples
    private let seed: UInt64
    private let requests: AnyIterator<BatchRequest>
    private var order: SampleOrder?

    init(_ samples: ProgramSamples, seed: UInt64, requests: AnyIterator<BatchRequest>) {
        self.samples = samples
        self.seed = seed
        self.requests = requests
    }

    func next(_ model: TrainedModel) -> MicroBatchPass {
        guard case .training(let epoch, let positions) = requests.next() else {
            preconditionFailure("the work list ended before step \(model.step)")
        }
        if order?.epoch != epoch {
            order = SampleOrder(seed: seed, epoch: epoch, sampleCount: samples.training.count)
        }
        let chosen = order?.samples[positions].map { Int($0) } ?? []
        let batch = samples.training.batch(chosen)
        return MicroBatchPass(sampleCount: batch.count) { [samples] tape in
            samples.loss(of: batch, model, on: tape)
        }
    }

    func stop() {}
}
