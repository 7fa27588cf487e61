// A network of one's own: defined here, trained by two worker processes, loaded, used and saved.

import Rondo

struct Digits: Layer {
    let conv1: Conv2d
    let hidden: Linear
    let output: Linear

    init(stream: inout InitializationStream) {
        conv1 = Conv2d(1, 8, kernel: 3, stream: &stream)
        hidden = Linear(8 * 13 * 13, 32, stream: &stream)
        output = Linear(32, 10, stream: &stream)
    }

    func callAsFunction(_ x: Variable) -> Variable {
        let x = maxPool2d(relu(conv1(x)), kernel: 2)
        return output(relu(hidden(flatten(x))))
    }
}

// First of all: the coordinator and the workers are this program, and end here.
let trainer = try Trainer(
    configuration: """
        {
          name: "digits", replicas: 4, batchSize: 32, steps: 300,
          data: {
            directory: "/usr/share/datasets/fashion-mnist",
            mean: [0.2860], standardDeviation: [0.3530],
          },
          optimizer: { type: "adam", learningRate: 0.001 },
        }
        """
) { input, outputs, stream in Digits(stream: &stream) }

let result = try trainer.train(workers: 2, output: "runs/digits", start: .overwriting)
print("test accuracy", result.testAccuracy ?? 0)

let model = try trainer.load("runs/digits")
let scores = model(Tensor(zeros: [1, 28, 28, 1]))
print("class of an empty image:", argmax(scores).values[0])

try model.save(to: "runs/digits/copy.safetensors")  // names and layouts are PyTorch's
