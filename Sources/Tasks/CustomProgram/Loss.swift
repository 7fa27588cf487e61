import Autodiff

/// The training loss.
public enum Loss {
    /// For classes: softmax and cross-entropy.
    case crossEntropy
    /// For values: the mean of (output - value)^2.
    case meanSquaredError
    /// A scalar that the program computes: the mean of the batch's losses. A step adds up the
    /// losses of all batches, each with the weight of its samples.
    case custom((_ output: Variable, _ batch: Batch) -> Variable)
}
