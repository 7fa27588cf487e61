import CKernels
import Kernels
import Tensors

// A loss is a sum with its divisor. Parts of a batch, computed anywhere, are added up and divided
// once, so a replica with fewer tokens does not count more per token.
//
// Each loss computes its derivatives together with its value; backward hands them over, scaled
// where the upstream gradient is not 1. A row is all dimensions but the last; its weight multiplies
// its loss and its share of the divisor.

/// A sum of losses and its divisor.
public struct WeightedLoss {
    /// The sum, a scalar to run backward from.
    public let loss: Variable
    /// What the sum is divided by for PyTorch's `mean`: samples, tokens, elements, or their
    /// weights.
    public let weight: Float
    /// Rows whose largest logit is at the label; 0 where there is no label.
    public let correctCount: Int
    /// Rows that count.
    public let rowCount: Int

    /// The sum.
    public var sum: Float { loss.value.pointer[0] }
    /// The sum divided by the weight; 0 where nothing counts.
    public var mean: Float { weight == 0 ? 0 : sum / weight }
    /// Sums for a step, which adds them up over its parts and divides by the weight.
    public var sums: LossSums {
        LossSums(
            lossSum: sum, correctCount: correctCount, sampleCount: rowCount, weight: weight)
    }
}

/// Puts a loss on the tape: the sum of `losses`, with the derivative for each input.
func weightedLoss(
    _ losses: Tensor, inputs: [(variable: Variable, derivative: Tensor?)], weight: Float,
    correctCount: Int = 0, rowCount: Int
) -> WeightedLoss {
    guard let tape = inputs.first?.variable.tape else {
        preconditionFailure("a loss without inputs")
    }
    let total = sum(of: losses)
    let loss = tape.record(total, from: inputs.map(\.variable)) { upstream in
        let factor = upstream.pointer[0]
        for (variable, derivative) in inputs {
            guard let derivative else { continue }
            // No other tensor shares the derivative's memory, and backward runs once.
            if factor != 1 { rondo_scale(derivative.pointer, factor, derivative.count) }
            tape.addGradient(derivative, to: variable)
        }
    }
    return WeightedLoss(
        loss: loss, weight: weight, correctCount: correctCount, rowCount: rowCount)
}

/// The sum of all elements, in blocks of 64.
func sum(of tensor: Tensor) -> Tensor {
    let total = Tensor(uninitialized: [])
    rondo_column_sums(total.pointer, tensor.pointer, tensor.count, 1, false)
    return total
}

/// Memory for the derivatives of x; nil if no backward pass will ask for them.
func derivativeMemory(for x: Variable) -> Tensor? {
    x.needsDerivative ? Tensor(uninitialized: x.shape) : nil
}

func checkRowWeights(_ weights: [Float]?, rows: Int) {
    require(
        weights.map { $0.count == rows } ?? true, "\(weights?.count ?? 0) weights for \(rows) rows")
}

/// The sum of the rows' weights.
func rowWeight(_ weights: [Float]?, rows: Int) -> Float {
    weights.map { $0.reduce(0, +) } ?? Float(rows)
}
