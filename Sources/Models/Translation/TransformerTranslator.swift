import Autodiff
import NeuralNetworks
import Configuration
import Tensors

// The Transformer of Vaswani et al. 2017 with the norms first and one more behind each stack (Xiong
// et al. 2020). Positions are sines and cosines, so they cost no parameters. Vectors of symbols
// start with deviation 1, which is why they are not scaled up by sqrt(width) as in the paper.

/// The network that `transformerTranslator` asks for.
struct TransformerTranslator: Translator {
    /// Layers with the norm behind them, under the names of PyTorch's `Transformer`.
    struct Stack<Layer: Module>: Module {
        let layers: [Layer]
        let norm: LayerNorm
    }

    let sourceEmbedding: Embedding, targetEmbedding: Embedding
    let encoder: Stack<TransformerEncoderLayer>
    let decoder: Stack<TransformerDecoderLayer>
    let output: Linear
    let targetLimit: Int
    let width: Int
    private let positions: SinusoidalPositions
    private let dropoutProbability: Float

    var layout: SequenceLayout { .batchFirst }

    init(
        _ options: TransformerTranslatorOptions, sourceSymbols: Int, sourceLimit: Int,
        targetSymbols: Int, targetLimit: Int, stream: inout InitializationStream
    ) {
        let shape = TransformerShape(
            width: options.width, heads: options.heads, hidden: options.feedForward,
            dropout: Float(options.dropout), normFirst: true)
        sourceEmbedding = Embedding(
            sourceSymbols, options.width, paddingIndex: 0, stream: &stream)
        targetEmbedding = Embedding(
            targetSymbols, options.width, paddingIndex: 0, stream: &stream)
        encoder = Stack(
            layers: (0..<options.encoderLayers).map { _ in
                TransformerEncoderLayer(shape, stream: &stream)
            }, norm: LayerNorm(options.width))
        decoder = Stack(
            layers: (0..<options.decoderLayers).map { _ in
                TransformerDecoderLayer(shape, stream: &stream)
            }, norm: LayerNorm(options.width))
        output = Linear(options.width, targetSymbols, stream: &stream)
        positions = SinusoidalPositions(max(sourceLimit, targetLimit), options.width)
        self.targetLimit = targetLimit
        width = options.width
        dropoutProbability = Float(options.dropout)
    }

    var parts: [(name: String, value: Any)] {
        [
            ("sourceEmbedding", sourceEmbedding), ("targetEmbedding", targetEmbedding),
            ("encoder", encoder), ("decoder", decoder), ("output", output),
        ]
    }

    func logits(of pairs: TokenPairs, on tape: Tape, map: AttentionMap?) -> Variable {
        let memory = encoded(
            pairs.sources, lengths: pairs.sourceLengths, on: tape)
        let mask = AttentionMask(keyLengths: pairs.sourceLengths)
        var x = placed(
            targetEmbedding(
                pairs.inputs, shape: [pairs.count, pairs.targetLength], tape: tape), first: 0)
        for (index, layer) in decoder.layers.enumerated() {
            // The last layer's look at the source is the one to show.
            let shown = index == decoder.layers.count - 1 ? map : nil
            x = layer(x, memory: memory, memoryMask: mask, map: shown)
        }
        return output(decoder.norm(x))
    }

    func begin(_ sources: TokenSources) -> any Translation {
        TransformerTranslation(self, sources)
    }

    /// [N, S, width]
    func encoded(_ symbols: [Int32], lengths: [Int32], on tape: Tape) -> Variable {
        let shape: Shape = [lengths.count, symbols.count / lengths.count]
        let mask = AttentionMask(keyLengths: lengths)
        var x = placed(sourceEmbedding(symbols, shape: shape, tape: tape), first: 0)
        for layer in encoder.layers { x = layer(x, mask: mask) }
        return encoder.norm(x)
    }

    /// With the positions from `first` on.
    func placed(_ vectors: Variable, first: Int) -> Variable {
        dropout(positions(vectors, first: first), probability: dropoutProbability)
    }
}

/// Its translations step by step: what each layer has seen is kept.
private final class TransformerTranslation: Translation {
    private let translator: TransformerTranslator
    private let mask: AttentionMask
    private let tape = Tape(.evaluation)
    /// The source's keys and values, by layer.
    private let memories: [Variable]
    private let caches: [KeyValueCache]
    private var step = 0

    init(_ translator: TransformerTranslator, _ sources: TokenSources) {
        self.translator = translator
        mask = AttentionMask(keyLengths: sources.lengths)
        let memory = translator.encoded(sources.symbols, lengths: sources.lengths, on: tape)
        memories = translator.decoder.layers.map { $0.projectedMemory(memory) }
        caches = translator.decoder.layers.map { _ in
            KeyValueCache(
                samples: sources.count, capacity: translator.targetLimit, width: translator.width)
        }
    }

    func next(after symbols: [Int32]) -> Tensor {
        let vectors = translator.targetEmbedding(
            symbols, shape: [symbols.count, 1], tape: tape)
        var x = translator.placed(vectors, first: step)
        for (index, layer) in translator.decoder.layers.enumerated() {
            x = layer(
                x, projectedMemory: memories[index], cache: caches[index], memoryMask: mask)
        }
        step += 1
        let logits = translator.output(translator.decoder.norm(x)).value
        return logits.reshaped([symbols.count, logits.shape.columns])
    }

    func reorder(_ rows: [Int]) {
        for cache in caches { cache.reorder(rows) }
    }
}
