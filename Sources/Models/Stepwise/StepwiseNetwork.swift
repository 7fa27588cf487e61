import Autodiff
import NeuralNetworks
import Configuration
import Tensors

// A language model that reads a text symbol by symbol, as generating does. Each layer remembers
// what it needs for the next symbol (StepwiseLayer), so a symbol costs one step of the network and
// not a pass over all before it:
//
//   recurrent layers    their states, so the text may be endless
//   attention           keys and values of all positions so far (KeyValueCache)
//   positions           the number of symbols
//   all others          nothing: each of their steps is a function of that step alone
//
// A network with attention or positions knows no more positions than it was trained on. When they
// are used up, it reads the last of them anew for each further symbol, the oldest at position 0:
// every symbol is then predicted from as many as the network can see.

/// A language model with the text that it has read. Used by one thread.
package final class StepwiseNetwork {
    /// The most symbols that a prediction looks back on; nil where all symbols count.
    package let window: Int?
    private let layers: [any StepwiseLayer]
    /// Symbols that the layers remember.
    private var count = 0
    /// The last symbols, at most a window of them.
    private var recent: [Int32] = []
    /// The most symbols that are computed at once, which bounds the memory.
    private static let pieceLength = 256

    /// - Parameters:
    ///   - network: the network that `model` describes, with the weights to use.
    ///   - input: `tokens` of the length that the network was trained on.
    /// - Throws: `ModelError` naming the layer with which a text cannot be continued.
    package init(
        _ model: ModelConfiguration, network: Sequential, input: FeatureShape, outputs: Int
    ) throws(ModelError) {
        let list = try ModelBuilder.layerList(model, input: input, outputs: outputs)
        guard let length = input.tokens else {
            preconditionFailure("a text is continued by a network of symbols, not of \(input)")
        }
        layers = try list.steps(of: network)
        window = layers.contains(where: \.isBounded) ? length : nil
    }

    /// Forgets all symbols.
    package func removeAll() {
        count = 0
        recent = []
        for layer in layers { layer.removeAll() }
    }

    /// Reads on.
    /// - Parameter symbols: at least one.
    /// - Returns: the logits of the symbol that follows the last one.
    package func logits(after symbols: [Int32]) -> [Float] {
        precondition(!symbols.isEmpty, "logits after no symbols")
        guard let window else { return read(symbols[...]) }
        recent += symbols
        recent.removeFirst(max(0, recent.count - window))
        if count + symbols.count <= window { return read(symbols[...]) }
        for layer in layers { layer.removeAll() }
        count = 0
        return read(recent[...])
    }

    private func read(_ symbols: ArraySlice<Int32>) -> [Float] {
        var rest = symbols
        while rest.count > Self.pieceLength {
            _ = run(rest.prefix(Self.pieceLength))
            rest = rest.dropFirst(Self.pieceLength)
        }
        let logits = run(rest)
        let outputs = logits.shape.columns
        let last = logits.pointer + (rest.count - 1) * outputs
        return Array(UnsafeBufferPointer(start: last, count: outputs))
    }

    private func run(_ symbols: ArraySlice<Int32>) -> Tensor {
        let input = Tensor(uninitialized: [1, symbols.count])
        for (position, symbol) in symbols.enumerated() { input.pointer[position] = Float(symbol) }
        let first = count
        count += symbols.count
        return layers.reduce(Tape(.evaluation).constant(input)) { $1($0, first: first) }.value
    }
}
