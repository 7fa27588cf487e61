import Autodiff
import Datasets
import Models
import NeuralNetworks
import RunConfiguration
import Tensors

/// The network of a run with its flat state, its optimizer and its schedule: all that is replicated.
/// Used by one thread.
package final class TrainedModel {
    package let network: Sequential
    package let store: ParameterStore
    package let optimizer: any Optimizer
    package let schedule: Schedule
    /// Updates so far.
    package var step = 0

    /// The network with its initial weights.
    package init(
        _ configuration: RunConfiguration, input: FeatureShape, outputs: Int,
        stepsPerEpoch: Int, totalSteps: Int
    ) throws(ModelError) {
        network = try ModelBuilder.build(
            configuration.model, input: input, outputs: outputs, seed: configuration.seed)
        store = ParameterStore(adopting: network)
        optimizer = Self.optimizer(configuration.optimizer, count: store.values.count)
        schedule = Self.schedule(
            configuration, stepsPerEpoch: stepsPerEpoch, totalSteps: totalSteps)
    }

    private static func optimizer(
        _ configuration: OptimizerConfiguration, count: Int
    ) -> any Optimizer {
        switch configuration.rule {
        case .sgd(let momentum, let nesterov):
            return SGD(
                count: count, momentum: momentum, nesterov: nesterov,
                weightDecay: configuration.weightDecay)
        case .adam(let beta1, let beta2, let epsilon):
            return Adam(
                count: count, beta1: beta1, beta2: beta2, epsilon: epsilon,
                weightDecay: configuration.weightDecay)
        case .adamw(let beta1, let beta2, let epsilon):
            return Adam(
                count: count, beta1: beta1, beta2: beta2, epsilon: epsilon,
                weightDecay: configuration.weightDecay, decoupledDecay: true)
        }
    }

    private static func schedule(
        _ configuration: RunConfiguration, stepsPerEpoch: Int, totalSteps: Int
    ) -> Schedule {
        let shape: Schedule.Shape
        switch configuration.schedule.shape {
        case .constant: shape = .constant
        case .step(.steps(let count), let factor):
            shape = .step(everySteps: count, factor: factor)
        case .step(.epochs(let count), let factor):
            shape = .step(everySteps: count * stepsPerEpoch, factor: factor)
        case .cosine(let minimum): shape = .cosine(minimum: minimum)
        }
        return Schedule(
            peak: configuration.optimizer.learningRate, shape: shape,
            warmupSteps: configuration.schedule.warmupSteps, totalSteps: totalSteps)
    }

    /// The loss of a batch of windows, summed over their symbols.
    package func loss(
        of windows: TokenWindows, on tape: Tape
    ) -> (loss: Variable, sums: LossSums) {
        softmaxCrossEntropy(network(tape.constant(windows.inputs)), labels: windows.targets)
    }

    /// The loss of a batch.
    package func loss(
        of samples: LabelledImages, on tape: Tape
    ) -> (loss: Variable, sums: LossSums) {
        softmaxCrossEntropy(network(tape.constant(samples.images)), labels: samples.labels)
    }
}

/// A batch as the network takes it.
package struct LabelledImages {
    /// [N, H, W, C]
    package let images: Tensor
    /// [N]
    package let labels: [Int32]

    /// Copies a batch, whose own memory may be filled anew afterwards.
    package init(_ batch: ImageBatch, of dataset: ImageDataset) {
        images = Tensor(
            uninitialized: [batch.count, dataset.height, dataset.width, dataset.channels])
        images.pointer.update(from: batch.pixels, count: images.count)
        labels = Array(UnsafeBufferPointer(start: batch.labels, count: batch.count))
    }
}
