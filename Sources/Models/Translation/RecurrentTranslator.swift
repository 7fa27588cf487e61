import Autodiff
import NeuralNetworks
import Configuration
import Tensors

// A recurrent encoder and decoder with attention (Bahdanau et al. 2015; Luong et al. 2015, section
// 3):
//
//   memory  = encoder(sources)                  [S, N, E]
//   state   = tanh(bridge(encoder's last))      the decoder's first; without a bridge if they fit
//   hidden  = decoder(targets so far, state)    [T, N, H]: one fused run, no step needs the context
//   context = attention(hidden, memory)
//   output  = linear(tanh(combine(context, hidden)))

/// The network that `recurrentTranslator` asks for.
struct RecurrentTranslator: Translator {
    /// How the decoder looks back.
    enum Attention {
        case additive(AdditiveAttention)
        case multiplicative(MultiplicativeAttention)
        case none
    }

    let sourceEmbedding: Embedding, targetEmbedding: Embedding
    let encoder: any RecurrentLayer, decoder: any RecurrentLayer
    /// From the encoder's last states, and from an LSTM's cells, to the decoder's first; nil where
    /// the encoder has one direction.
    let bridge: Linear?, cellBridge: Linear?
    let attention: Attention
    let combine: Linear?
    let output: Linear
    let targetLimit: Int
    private let layers: Int
    private let dropoutProbability: Float

    var layout: SequenceLayout { .timeFirst }

    init(
        _ options: RecurrentTranslatorOptions, sourceSymbols: Int, targetSymbols: Int,
        targetLimit: Int, stream: inout InitializationStream
    ) {
        let width = options.width
        let dropout = Float(options.dropout)
        let directions = options.bidirectional ? 2 : 1
        sourceEmbedding = Embedding(
            sourceSymbols, options.embedding, paddingIndex: 0, stream: &stream)
        targetEmbedding = Embedding(
            targetSymbols, options.embedding, paddingIndex: 0, stream: &stream)
        func stack(bidirectional: Bool) -> any RecurrentLayer {
            let settings = RecurrentOptions(
                layers: options.layers, bidirectional: bidirectional, dropout: dropout)
            switch options.cell {
            case .lstm:
                return LSTM(options.embedding, width, options: settings, stream: &stream)
            case .gru: return GRU(options.embedding, width, options: settings, stream: &stream)
            }
        }
        encoder = stack(bidirectional: options.bidirectional)
        decoder = stack(bidirectional: false)
        bridge = options.bidirectional ? Linear(2 * width, width, stream: &stream) : nil
        cellBridge =
            options.bidirectional && options.cell == .lstm
            ? Linear(2 * width, width, stream: &stream) : nil
        let memoryWidth = directions * width
        switch options.attention {
        case .additive:
            attention = .additive(
                AdditiveAttention(
                    queryWidth: width, keyWidth: memoryWidth, hidden: width, stream: &stream))
        case .multiplicative:
            attention = .multiplicative(
                MultiplicativeAttention(
                    queryWidth: width, keyWidth: memoryWidth, stream: &stream))
        case .none: attention = .none
        }
        combine =
            options.attention == .none
            ? nil : Linear(memoryWidth + width, width, stream: &stream)
        output = Linear(width, targetSymbols, stream: &stream)
        self.targetLimit = targetLimit
        layers = options.layers
        dropoutProbability = dropout
    }

    var parts: [(name: String, value: Any)] {
        var parts: [(name: String, value: Any)] = [
            ("sourceEmbedding", sourceEmbedding), ("targetEmbedding", targetEmbedding),
            ("encoder", encoder), ("decoder", decoder),
        ]
        if let bridge { parts.append(("bridge", bridge)) }
        if let cellBridge { parts.append(("cellBridge", cellBridge)) }
        switch attention {
        case .additive(let attention): parts.append(("attention", attention))
        case .multiplicative(let attention): parts.append(("attention", attention))
        case .none: break
        }
        if let combine { parts.append(("combine", combine)) }
        parts.append(("output", output))
        return parts
    }

    func logits(of pairs: TokenPairs, on tape: Tape, map: AttentionMap?) -> Variable {
        let memory = encoded(
            pairs.timeFirst(pairs.sources), lengths: pairs.sourceLengths, on: tape)
        let hidden = decoded(
            pairs.timeFirst(pairs.inputs), from: memory.states, on: tape
        ).output
        return written(hidden, memory, map: map)
    }

    func begin(_ sources: TokenSources) -> any Translation {
        let tape = Tape(.evaluation)
        let memory = encoded(
            transposed(sources.symbols, rows: sources.count), lengths: sources.lengths, on: tape)
        return RecurrentTranslation(self, memory, tape)
    }

    /// What the encoder has made of the sources.
    struct Memory {
        /// [S, N, E]
        let values: Variable
        /// The values as attention compares them.
        let keys: Variable?
        let lengths: [Int32]
        /// The decoder's first states, by layer.
        let states: [RecurrentState]
    }

    /// - Parameter symbols: [S, N].
    func encoded(_ symbols: [Int32], lengths: [Int32], on tape: Tape) -> Memory {
        let shape: Shape = [symbols.count / lengths.count, lengths.count]
        let vectors = dropped(sourceEmbedding(symbols, shape: shape, tape: tape))
        let encoded = encoder(vectors, initial: nil, lengths: lengths)
        let keys: Variable?
        switch attention {
        case .additive(let attention): keys = attention.projectedKeys(encoded.output)
        case .multiplicative(let attention): keys = attention.projectedKeys(encoded.output)
        case .none: keys = nil
        }
        return Memory(
            values: encoded.output, keys: keys, lengths: lengths,
            states: bridged(encoded.final))
    }

    /// Both directions' last states of each layer as one.
    private func bridged(_ states: [RecurrentState]) -> [RecurrentState] {
        guard let bridge else { return states }
        return (0..<layers).map { layer in
            let (one, other) = (states[2 * layer], states[2 * layer + 1])
            let hidden = tanh(bridge(concat([one.hidden, other.hidden], axis: -1)))
            guard let cellBridge, let cell = one.cell, let otherCell = other.cell else {
                return RecurrentState(hidden: hidden)
            }
            return RecurrentState(
                hidden: hidden, cell: cellBridge(concat([cell, otherCell], axis: -1)))
        }
    }

    /// - Parameter symbols: [T, N].
    func decoded(
        _ symbols: [Int32], from states: [RecurrentState], on tape: Tape
    ) -> RecurrentOutput {
        let count = states[0].hidden.shape[0]
        let vectors = targetEmbedding(
            symbols, shape: [symbols.count / count, count], tape: tape)
        return decoder(dropped(vectors), initial: states, lengths: nil)
    }

    /// The logits [T, N, V] of the decoder's outputs.
    func written(_ hidden: Variable, _ memory: Memory, map: AttentionMap?) -> Variable {
        let layouts = (queries: SequenceLayout.timeFirst, keys: SequenceLayout.timeFirst)
        let context: Variable
        switch attention {
        case .additive(let attention):
            context = attention(
                hidden, keys: memory.values, projectedKeys: memory.keys,
                keyLengths: memory.lengths, layouts: layouts, map: map)
        case .multiplicative(let attention):
            context = attention(
                hidden, keys: memory.values, projectedKeys: memory.keys,
                keyLengths: memory.lengths, layouts: layouts, map: map)
        case .none:
            return output(dropped(hidden))
        }
        guard let combine else { return output(dropped(hidden)) }
        return output(dropped(tanh(combine(concat([context, hidden], axis: -1)))))
    }

    private func dropped(_ x: Variable) -> Variable {
        dropout(x, probability: dropoutProbability)
    }
}

/// Its translations step by step.
private final class RecurrentTranslation: Translation {
    private let translator: RecurrentTranslator
    private let memory: RecurrentTranslator.Memory
    private let tape: Tape
    private var states: [RecurrentState]

    init(_ translator: RecurrentTranslator, _ memory: RecurrentTranslator.Memory, _ tape: Tape) {
        self.translator = translator
        self.memory = memory
        self.tape = tape
        states = memory.states
    }

    func next(after symbols: [Int32]) -> Tensor {
        let step = translator.decoded(symbols, from: states, on: tape)
        states = step.final
        let logits = translator.written(step.output, memory, map: nil).value
        return logits.reshaped([symbols.count, logits.shape.columns])
    }

    func reorder(_ rows: [Int]) {
        let indices = Indices(rows.map { Int32($0) })
        states = states.map { state in
            RecurrentState(
                hidden: indexSelect(state.hidden, indices),
                cell: state.cell.map { indexSelect($0, indices) })
        }
    }
}
