import Configuration

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
        // With skips the directions are separate stacks; without, a layer sees both of the one below.
        let between = options.skip == .none ? outputFeatures : hidden
        return directions
            * (0..<options.layers).reduce(0) { sum, layer in
                let width = layer == 0 ? inputs : between
                // Two biases, as PyTorch has them; a highway gate is a linear layer of its own.
                let gate =
                    options.skip == .highway && width == hidden ? hidden * hidden + hidden : 0
                return sum + gateCount * hidden * (width + hidden + 2) + gate
            }
    }
}
