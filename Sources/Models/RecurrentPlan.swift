import RunConfiguration

/// A stack of recurrent layers whose sizes are settled.
package struct RecurrentPlan {
    package enum Cell { case rnnTanh, rnnReLU, lstm, gru }

    let cell: Cell
    let inputs: Int
    let options: RecurrentStackOptions

    var outputFeatures: Int { options.hiddenSize * (options.bidirectional ? 2 : 1) }

    /// Products per hidden unit: 1, 4 or 3.
    private var gateCount: Int {
        switch cell {
        case .rnnTanh, .rnnReLU: 1
        case .lstm: 4
        case .gru: 3
        }
    }

    var scalarCount: Int {
        let hidden = options.hiddenSize
        let directions = options.bidirectional ? 2 : 1
        return (0..<options.layers).reduce(0) { sum, layer in
            let width = layer == 0 ? inputs : outputFeatures
            // Two biases, as PyTorch has them; a highway gate is a linear layer of its own.
            let gate =
                options.skip == .highway && layer > 0 ? hidden * hidden + hidden : 0
            return sum + directions * gateCount * hidden * (width + hidden + 2) + gate
        }
    }
}
