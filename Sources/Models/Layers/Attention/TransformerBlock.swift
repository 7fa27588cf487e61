import Autodiff
import NeuralNetworks
import Configuration
import Tensors

// The layers on sequences that a configuration can name: batches come first, [N, T, features].

/// Vectors of the symbols that come as floats, [N, T] -> [N, T, width]. Floats hold symbols exactly up to 2^24.
struct SymbolEmbedding: Layer {
    private let table: Embedding

    init(symbols: Int, width: Int, stream: inout InitializationStream) {
        table = Embedding(symbols, width, stream: &stream)
    }

    var parts: [(name: String, value: Any)] { table.parts }

    func callAsFunction(_ x: Variable) -> Variable {
        let count = x.value.count
        let symbols = (0..<count).map { Int32(x.value.pointer[$0]) }
        return table(symbols, shape: x.shape, tape: x.tape)
    }
}

/// A block of a Transformer whose mask is settled, pre-norm with GELU: [N, T, features] to the same.
struct TransformerBlock: Layer {
    let width: Int
    private let block: TransformerEncoderLayer
    private let mask: AttentionMask

    init(_ shape: TransformerShape, isCausal: Bool, stream: inout InitializationStream) {
        width = shape.width
        block = TransformerEncoderLayer(shape, stream: &stream)
        mask = AttentionMask(isCausal: isCausal)
    }

    var parts: [(name: String, value: Any)] { block.parts }

    func callAsFunction(_ x: Variable) -> Variable { block(x, mask: mask) }

    /// New steps of sequences whose earlier ones are in the cache; causal.
    func callAsFunction(_ x: Variable, cache: KeyValueCache) -> Variable { block(x, cache: cache) }
}

extension Activation {
    /// Rows of images as sequences: [N, H, W, C] -> [N, H, W C].
    static let rows = Activation { x in
        reshape(x, [x.shape[0], x.shape[1], x.shape[2] * x.shape[3]])
    }

    /// The last step: [N, T, features] -> [N, features].
    static let lastStep = Activation { x in
        let steps = x.shape[1]
        let last = slice(x, axis: 1, from: steps - 1, count: 1)
        return reshape(last, [x.shape[0], x.shape[2]])
    }

    /// x Phi(x), exact form, as PyTorch's default.
    static let gelu = Activation { Autodiff.gelu($0) }
}

extension RecurrentPlan {
    /// The layers; with skips each layer of the stack is one of its own, and each direction a stack of its own.
    func layer(stream: inout InitializationStream) -> any Layer {
        guard options.skip != .none else {
            return recurrent(
                inputs: inputs,
                .init(
                    layers: options.layers, bidirectional: options.bidirectional, batchFirst: true,
                    dropout: Float(options.dropout)), stream: &stream)
        }
        guard options.bidirectional else { return skipped(batchFirst: true, stream: &stream) }
        let forward = skipped(batchFirst: false, stream: &stream)
        let backward = skipped(batchFirst: false, stream: &stream)
        return Bidirectional(forward: forward, backward: backward, batchFirst: true)
    }

    private func skipped(
        batchFirst: Bool, stream: inout InitializationStream
    ) -> any RecurrentLayer {
        let dropout = Float(options.dropout)
        var layers: [any RecurrentLayer] = []
        for position in 0..<options.layers {
            layers.append(
                recurrent(
                    inputs: position == 0 ? inputs : options.hiddenSize, .init(), stream: &stream))
        }
        return options.skip == .residual
            ? ResidualRecurrent(layers, dropout: dropout, batchFirst: batchFirst)
            : HighwayRecurrent(layers, dropout: dropout, batchFirst: batchFirst, stream: &stream)
    }

    private func recurrent(
        inputs: Int, _ settings: RecurrentOptions, stream: inout InitializationStream
    ) -> any RecurrentLayer {
        let units = options.hiddenSize
        switch cell {
        case .rnnTanh: return RNN(inputs, units, options: settings, stream: &stream)
        case .rnnReLU:
            return RNN(inputs, units, activation: .relu, options: settings, stream: &stream)
        case .lstm: return LSTM(inputs, units, options: settings, stream: &stream)
        case .gru: return GRU(inputs, units, options: settings, stream: &stream)
        }
    }
}
