// Linear regression by gradient descent, against the normal equations.
//
//     forward:   y = x W^T + b          loss: the mean of (y - target)^2
//     backward:  the tape gives the gradient of each parameter
//     update:    parameter -= rate * gradient
//
// The normal equations (A^T A) w = A^T t, with A = [x 1], give the same minimum at once; they are
// solved here in double precision.

import Foundation
import Rondo

let (count, features) = (256, 4)
let random = Tape(.training(seed: 7, step: 0, replica: 0, microBatch: 0, sampleCount: count))
let x = Tensor.normal([count, features], random.nextRandom())
let noise = Tensor.normal([count, 1], random.nextRandom())
let truth: [Float] = [0.5, -0.75, 0.25, 0.9]
let target = Tensor(uninitialized: [count, 1])
for row in 0..<count {
    target.pointer[row] = (0..<features).reduce(0.3 + 0.1 * noise.pointer[row]) { sum, feature in
        sum + truth[feature] * x.pointer[row * features + feature]
    }
}

// Gradient descent.
var stream = InitializationStream(seed: 1)
let model = Linear(features, 1, stream: &stream)
let parameters = ParameterStore(adopting: model)
let gradients = Tensor(zeros: [parameters.gradientCount])
let descent = SGD(count: parameters.values.count)
for step in 0..<500 {
    parameters.bindGradients(to: gradients)
    let tape = Tape(
        .training(seed: 1, step: step, replica: 0, microBatch: 0, sampleCount: count))
    let loss = squaredLoss(model(tape.constant(x)), target: target)
    tape.backward(from: loss.loss)
    descent.update(
        parameters.values, gradients: gradients.pointer, gradientScale: 1 / loss.weight,
        learningRate: 0.3, step: step + 1)
    if step % 100 == 0 { print("step \(step): loss \(loss.mean)") }
}
let found = model.weight.value.scalars + (model.bias?.value.scalars ?? [])

// The closed form.
let solution = normalEquations(x, target)
print("found by descent:     \(found)")
print("by normal equations:  \(solution)")
let difference = zip(found, solution).map { abs(Double($0) - $1) }.max() ?? .infinity
print("largest difference \(difference)")
if difference > 1e-6 { exit(1) }

func normalEquations(_ x: Tensor, _ target: Tensor) -> [Double] {
    let columns = features + 1
    var rows = [[Double]](repeating: [Double](repeating: 0, count: columns + 1), count: columns)
    for sample in 0..<count {
        let scalars = (0..<features).map { Double(x.pointer[sample * features + $0]) } + [1]
        for (i, left) in scalars.enumerated() {
            for (j, right) in scalars.enumerated() { rows[i][j] += left * right }
            rows[i][columns] += left * Double(target.pointer[sample])
        }
    }
    // Gauss and Jordan's elimination; the matrix is positive definite, so no row is exchanged.
    for pivot in 0..<columns {
        let divisor = rows[pivot][pivot]
        rows[pivot] = rows[pivot].map { $0 / divisor }
        for other in 0..<columns where other != pivot {
            let factor = rows[other][pivot]
            rows[other] = zip(rows[other], rows[pivot]).map { $0 - factor * $1 }
        }
    }
    return rows.map { $0[columns] }
}
