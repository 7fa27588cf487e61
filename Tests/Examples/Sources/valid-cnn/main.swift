// Two convolutions without padding (VALID), each with ReLU and a 2x2 max-pool without padding, on
// Fashion-MNIST, trained by two worker processes.
//
//     28x28 -conv 5x5-> 24x24 -pool-> 12x12 -conv 5x5-> 8x8 -pool-> 4x4 -linear-> 10
//
// Numbers after the name: the steps to train for (none: two epochs), and the workers (none: two).

import Foundation
import Rondo

struct ValidNetwork: Layer {
    let conv1: Conv2d
    let conv2: Conv2d
    let output: Linear

    init(stream: inout InitializationStream) {
        conv1 = Conv2d(1, 16, kernel: 5, stream: &stream)
        conv2 = Conv2d(16, 32, kernel: 5, stream: &stream)
        output = Linear(32 * 4 * 4, 10, stream: &stream)
    }

    func callAsFunction(_ x: Variable) -> Variable {
        var x = relu(conv1(x))
        x = maxPool2d(x, kernel: 2)
        x = relu(conv2(x))
        x = maxPool2d(x, kernel: 2)
        return output(flatten(x))
    }
}

let numbers = CommandLine.arguments.dropFirst().compactMap { Int($0) }
let steps = numbers.first
let workers = numbers.dropFirst().first ?? 2
let trainer = try Trainer(
    configuration: """
        {
          name: "valid-cnn", replicas: 4, batchSize: 32, epochs: 2,
          data: {
            directory: "/usr/share/datasets/fashion-mnist",
            mean: [0.2860], standardDeviation: [0.3530],
          },
          optimizer: { type: "sgd", learningRate: 0.05, momentum: 0.9 },
          schedule: { type: "cosine", warmupSteps: 100 },
        }
        """,
    settings: steps.map { ["steps=\($0)", "data.testSamples=1000"] } ?? []
) { _, _, stream in ValidNetwork(stream: &stream) }

let result = try trainer.train(
    workers: workers, start: .overwriting, showsProgress: steps == nil)
let accuracy = String(format: "%.4f", result.testAccuracy ?? 0)
print("test accuracy \(accuracy) after \(result.steps) steps")
print("SHA-256 \(result.modelDigest)")
