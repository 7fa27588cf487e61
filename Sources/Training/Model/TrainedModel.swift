import Autodiff
import Datasets
import Models
import NeuralNetworks
import Configuration
import Learning
import Tensors

/// The network of a run with its flat state, its optimizer and its schedule: all that is replicated.
/// Used by one thread.
package final class TrainedModel {
    package let network: Network
    package let store: ParameterStore
    package let optimizer: any Optimizer
    package let clipping: GradientClipping
    /// What is kept as the model in place of the weights in `store`, where a run averages.
    package let average: ExponentialAverage?
    package let schedule: Schedule
    private let labelSmoothing: Float
    private let classWeights: [Float]?
    /// What a program's network was made for: kept beside its weights, so that they can be loaded without
    /// the data.
    let ownShape: (input: Shape, outputs: Int)?
    /// Updates so far.
    package var step = 0

    /// The network with its initial weights.
    /// - Throws: `ModelError` or `ParameterGroupError`.
    package init(
        _ configuration: RunConfiguration, input: FeatureShape, outputs: Int,
        stepsPerEpoch: Int, totalSteps: Int, parts: ProgramParts = .none
    ) throws {
        network = try parts.network(configuration, input: input, outputs: outputs)
        ownShape = configuration.model.custom == nil ? nil : (input.sampleShape, outputs)
        store = ParameterStore(adopting: network.module)
        optimizer = try configuration.optimizer.optimizer(for: store)
        clipping = configuration.optimizer.clipping?.clipping ?? .none
        average = configuration.average.map { [store] in
            ExponentialAverage(of: store.values, decay: $0.decay, warmsUp: $0.warmsUp)
        }
        schedule = configuration.learningRates(
            stepsPerEpoch: stepsPerEpoch, totalSteps: totalSteps)
        labelSmoothing = Float(configuration.model.loss.labelSmoothing)
        classWeights = configuration.model.loss.classWeights.map { $0.map { Float($0) } }
    }

    /// Runs `body` with the weights that are kept as the model: the averages where there are some.
    package func asKept<Result>(_ body: () throws -> Result) rethrows -> Result {
        guard let average else { return try body() }
        return try average.whileExchanged(with: store.values, body)
    }

    /// The loss of a batch of windows, summed over their symbols.
    package func loss(
        of windows: TokenWindows, on tape: Tape
    ) -> (loss: Variable, sums: LossSums) {
        loss(layers(tape.constant(windows.inputs)), labels: windows.targets)
    }

    /// The loss of a batch.
    package func loss(
        of samples: LabelledImages, on tape: Tape
    ) -> (loss: Variable, sums: LossSums) {
        loss(layers(tape.constant(samples.images)), labels: samples.labels)
    }

    /// The loss of a batch of pairs, summed over the symbols of the targets.
    package func loss(
        of pairs: TokenPairs, on tape: Tape
    ) -> (loss: Variable, sums: LossSums) {
        loss(
            translator.logits(of: pairs, on: tape, map: nil), labels: translator.labels(of: pairs))
    }

    /// With the configured options in training; an evaluation measures the plain loss.
    func loss(
        _ logits: Variable, labels: [Int32]
    ) -> (loss: Variable, sums: LossSums) {
        guard logits.tape.settings.isTraining, labelSmoothing > 0 || classWeights != nil else {
            return softmaxCrossEntropy(logits, labels: labels)
        }
        let weighted = crossEntropy(
            logits, labels: labels, ignoredLabel: SequenceBatch.ignoredTarget,
            smoothing: labelSmoothing, classWeights: classWeights)
        return (weighted.loss, weighted.sums)
    }

    // The data decide which kind of network a configuration may ask for.

    /// The network of images and texts.
    /// - Precondition: it is one.
    package var layers: Sequential {
        guard case .layers(let layers) = network else {
            preconditionFailure("a translator in the place of layers")
        }
        return layers
    }

    /// The network of pairs.
    /// - Precondition: it is one.
    package var translator: any Translator {
        guard case .translator(let translator) = network else {
            preconditionFailure("layers in the place of a translator")
        }
        return translator
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
