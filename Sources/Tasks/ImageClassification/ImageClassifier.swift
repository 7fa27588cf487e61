import Autodiff
import Datasets
import Learning
import NeuralNetworks
import Tensors

/// One input's answer: the classes' probabilities.
package struct Prediction: Sendable, Equatable {
    package let probabilities: [Float]

    /// The most likely class, the first of equals.
    package var label: Int {
        probabilities.max().flatMap { probabilities.firstIndex(of: $0) } ?? 0
    }

    /// The most likely classes, at most `count`; equals in their order.
    package func ranked(_ count: Int) -> [Int] {
        Array(
            probabilities.indices.sorted {
                (probabilities[$1], $0) < (probabilities[$0], $1)
            }.prefix(count))
    }
}

/// Applies a finished run's model to new images, in this process.
package final class ImageClassifier {
    private static let batchSize = 250

    private let task: ImageClassificationTask
    private let seed: UInt64
    private let network: Sequential
    private let input: ImageOutline

    /// `input` tells the images' height, width and channels.
    package init(_ run: FinishedRun, _ task: ImageClassificationTask, input: ImageOutline) throws {
        self.task = task
        seed = run.context.settings.seed
        network = try ConfiguredNetwork(
            task.model, input: input.feature, outputs: task.images.classes, run.context
        ).layers()
        try run.load(into: network)
        self.input = input
    }

    /// Classifies images given as bytes [N, H, W, C], 0...255, normalised as in training.
    package func predict(pixels: [UInt8]) throws(DataError) -> [Prediction] {
        let size = input.imageByteCount
        precondition(pixels.count % size == 0, "\(pixels.count) bytes for images of \(size)")
        let count = pixels.count / size
        let dataset = try ImageDataset(
            name: "input", labelName: "input", pixels: pixels,
            labels: [Int32](repeating: 0, count: count), height: input.height,
            width: input.width, channels: input.channels, classes: task.images.classes)
        let assembler = try task.images.assembler(dataset, seed: seed)
        let batch = assembler.makeBatch(capacity: min(Self.batchSize, max(1, count)))
        var predictions: [Prediction] = []
        for start in stride(from: 0, to: count, by: Self.batchSize) {
            assembler.fill(
                batch, with: .inOrder(start..<min(count, start + Self.batchSize)), order: nil)
            predictions += probabilities(LabelledImages(batch, of: dataset).images)
        }
        return predictions
    }

    private func probabilities(_ images: Tensor) -> [Prediction] {
        let logits = network(Tape(.evaluation).constant(images))
        let classes = logits.shape.columns
        let scalars = softmax(logits).value.scalars
        return stride(from: 0, to: scalars.count, by: classes).map {
            Prediction(probabilities: Array(scalars[$0..<$0 + classes]))
        }
    }
}
