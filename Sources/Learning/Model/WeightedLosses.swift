import Autodiff

/// Several losses of one pass, each summed over the same samples, as one loss to be differentiated.
package struct WeightedLosses {
    /// sum of weight x loss
    package let total: Variable
    /// The sum of each loss without its weight, for a task's own sums.
    package let sums: [Double]

    /// - Precondition: at least one scalar loss.
    package init(_ losses: [(weight: Float, loss: Variable)]) {
        guard let first = losses.first else { preconditionFailure("no loss to add up") }
        total = losses.dropFirst().reduce(first.loss * first.weight) { $0 + $1.loss * $1.weight }
        sums = losses.map { Double($0.loss.value.pointer[0]) }
    }
}
