// A recurrent cell written by hand: h = tanh(W x + U h + b), one step after another. It learns to
// tell the parity of eight bits, which needs a memory.

import Foundation
import Rondo

struct ParityNetwork: Layer {
    let inputToHidden: Linear
    let hiddenToHidden: Linear
    let output: Linear
    private let width = 16

    init(stream: inout InitializationStream) {
        inputToHidden = Linear(1, width, stream: &stream)
        hiddenToHidden = Linear(width, width, bias: false, stream: &stream)
        output = Linear(width, 2, stream: &stream)
    }

    /// [N, T, 1] -> [N, T, 2]: after each bit, whether the number of ones so far is even or odd.
    func callAsFunction(_ bits: Variable) -> Variable {
        let (count, length) = (bits.shape[0], bits.shape[1])
        var hidden = bits.tape.constant(Tensor(zeros: [count, width]))
        var scores: [Variable] = []
        for step in 0..<length {
            let bit = reshape(slice(bits, axis: 1, step..<step + 1), [count, 1])
            hidden = tanh(inputToHidden(bit) + hiddenToHidden(hidden))
            scores.append(output(hidden))
        }
        return stack(scores, axis: 1)
    }
}

/// All strings of eight bits, and the parity after each bit.
let length = 8
var bits: [Float] = []
var parities: [Int] = []
for number in 0..<1 << length {
    var parity = 0
    for place in 0..<length {
        let bit = number >> place & 1
        parity ^= bit
        bits.append(Float(bit))
        parities.append(parity)
    }
}
let samples = Samples(Tensor(bits, [1 << length, length, 1]), classes: parities, of: 2)

let trainer = try Trainer(
    configuration: """
        {
          name: "tanh-rnn", replicas: 2, batchSize: 32, epochs: 200,
          optimizer: { type: "adam", learningRate: 0.01 },
          checkpoint: { everyEpochs: 0 }, evaluation: { everyEpochs: 50 },
        }
        """,
    training: samples, test: samples, loss: .crossEntropy
) { _, _, stream in ParityNetwork(stream: &stream) }

let result = try trainer.train(workers: 2, start: .overwriting, showsProgress: false)
let accuracy = String(format: "%.4f", result.testAccuracy ?? 0)
print("parity accuracy \(accuracy) after \(result.steps) steps")
