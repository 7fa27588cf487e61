import Autodiff
import CKernels
import Datasets
import Foundation
import Models
import Configuration
import Learning
import Tensors

/// One input's answer: the classes' probabilities.
package struct Prediction: Sendable, Equatable {
    package let probabilities: [Float]

    /// The most likely class, the first of equals.
    package var label: Int {
        probabilities.max().flatMap { probabilities.firstIndex(of: $0) } ?? 0
    }
}

/// Applies a finished run's model to new inputs, in this process.
package final class Predictor {
    private let configuration: RunConfiguration
    private let data: ImageDataConfiguration
    private let model: TrainedModel
    private let input: ImageOutline
    private static let batchSize = 250

    /// `input` tells the images' height, width and channels.
    package init(runFolder: String, input: ImageOutline) throws {
        configuration = try FinishedRun.configuration(runFolder)
        guard let data = configuration.data.images else {
            throw UnsuitableRun(
                "the run in \(runFolder) is one of text; it cannot classify images")
        }
        self.data = data
        model = try FinishedRun.model(
            runFolder, configuration, input: input.feature, outputs: data.classes)
        self.input = input
    }

    /// Classifies images given as bytes [N, H, W, C], 0...255, normalised as in training.
    package func predict(pixels: [UInt8]) throws(DataError) -> [Prediction] {
        let size = input.imageByteCount
        precondition(pixels.count % size == 0, "\(pixels.count) bytes for images of \(size)")
        let count = pixels.count / size
        let dataset = try ImageDataset(
            name: "input", labelName: "input", pixels: pixels,
            labels: [UInt8](repeating: 0, count: count), height: input.height, width: input.width,
            channels: input.channels, classes: data.classes)
        let assembler = try BatchAssembler(
            dataset: dataset, seed: configuration.seed, mean: data.mean,
            standardDeviation: data.standardDeviation)
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
        let logits = model.layers(Tape(.evaluation).constant(images)).value
        let classes = logits.shape.columns
        let result = Tensor(uninitialized: logits.shape)
        rondo_softmax_rows(result.pointer, logits.pointer, logits.shape.rows, classes)
        let scalars = result.scalars
        return stride(from: 0, to: scalars.count, by: classes).map {
            Prediction(probabilities: Array(scalars[$0..<$0 + classes]))
        }
    }
}
