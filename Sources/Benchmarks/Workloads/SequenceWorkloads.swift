import Models
import Autodiff
import NeuralNetworks
import Tensors

extension Workload {
    /// A character model: 96 symbols, vectors of 64, two LSTM layers of 256, 64 steps, batches of
    /// 32, Adam: 886,880 parameters.
    static func recurrentLanguageModel(replica: Int) -> Workload {
        var stream = InitializationStream(seed: 1)
        let network = Sequential(
            SymbolEmbedding(symbols: 96, width: 64, stream: &stream),
            LSTM(64, 256, options: .init(layers: 2, batchFirst: true), stream: &stream),
            Linear(256, 96, stream: &stream))
        return languageModel(network, batch: 32, length: 64, symbols: 96, replica: replica) {
            Adam(count: $0)
        }
    }

    /// nanoGPT's size for a processor: 4 layers, 4 heads, 128 wide, 64 symbols of context, batches
    /// of 12, AdamW: 826,112 parameters.
    static func transformerLanguageModel(replica: Int) -> Workload {
        var stream = InitializationStream(seed: 1)
        var layers: [any Layer] = [
            SymbolEmbedding(symbols: 96, width: 128, stream: &stream),
            LearnedPositions(64, 128, stream: &stream),
        ]
        let shape = TransformerShape(
            width: 128, heads: 4, hidden: 512, activation: .gelu, normFirst: true)
        for _ in 0..<4 {
            layers.append(TransformerBlock(shape, isCausal: true, stream: &stream))
        }
        layers += [LayerNorm(128), Linear(128, 96, bias: false, stream: &stream)]
        let names = layers.indices.map(String.init)
        return languageModel(
            Sequential(named: Array(zip(names, layers))), batch: 12, length: 64, symbols: 96,
            replica: replica
        ) { Adam(count: $0, weightDecay: 0.01, decoupledDecay: true) }
    }

    /// An LSTM encoder and decoder of 128 with attention: 64 symbols, 24 -> 24 steps, batches of
    /// 32, Adam: 321,728 parameters.
    static func sequenceToSequence(replica: Int) -> Workload {
        var stream = InitializationStream(seed: 1)
        let model = AttendingPair(symbols: 64, width: 128, stream: &stream)
        let sources = symbols(32 * 24, below: 64, replica: replica)
        let inputs = symbols(32 * 24, below: 64, replica: replica + 100)
        let targets = symbols(32 * 24, below: 64, replica: replica + 200)
        return Workload(
            model: model, batchSize: 32, learningRate: 1e-3, optimizer: { Adam(count: $0) },
            forward: { tape in
                softmaxCrossEntropy(
                    model(sources: sources, inputs: inputs, shape: [32, 24], tape: tape),
                    labels: targets)
            })
    }

    private static func languageModel(
        _ network: Sequential, batch: Int, length: Int, symbols count: Int, replica: Int,
        optimizer: @escaping (Int) -> any Optimizer
    ) -> Workload {
        let inputs = Tensor(
            symbols(batch * length, below: count, replica: replica).map { Float($0) },
            [batch, length])
        let targets = symbols(batch * length, below: count, replica: replica + 100)
        return Workload(
            model: network, batchSize: batch, learningRate: 1e-3, optimizer: optimizer,
            forward: { tape in
                softmaxCrossEntropy(network(tape.constant(inputs)), labels: targets)
            })
    }

    private static func symbols(_ count: Int, below bound: Int, replica: Int) -> [Int32] {
        // Any spread of symbols will do; 7919 is prime to all bounds used here.
        (0..<count).map { Int32(($0 * 7919 + replica * 31) % bound) }
    }
}

/// Encoder, decoder and dot-product attention between them.
private struct AttendingPair: Module {
    let sourceEmbedding: Embedding, targetEmbedding: Embedding
    let encoder: LSTM, decoder: LSTM
    let combine: Linear, output: Linear

    init(symbols: Int, width: Int, stream: inout InitializationStream) {
        sourceEmbedding = Embedding(symbols, width, stream: &stream)
        targetEmbedding = Embedding(symbols, width, stream: &stream)
        encoder = LSTM(width, width, options: .init(batchFirst: true), stream: &stream)
        decoder = LSTM(width, width, options: .init(batchFirst: true), stream: &stream)
        combine = Linear(2 * width, width, stream: &stream)
        output = Linear(width, symbols, stream: &stream)
    }

    func callAsFunction(
        sources: [Int32], inputs: [Int32], shape: Shape, tape: Tape
    ) -> Variable {
        let encoded = encoder(
            sourceEmbedding(sources, shape: shape, tape: tape), initial: nil, lengths: nil)
        let queries = decoder(
            targetEmbedding(inputs, shape: shape, tape: tape), initial: encoded.final, lengths: nil
        ).output
        let memory = encoded.output
        let weights = softmax(matmul(queries, memory, transposeB: true))
        let context = matmul(weights, memory)
        return output(tanh(combine(concat([queries, context], axis: -1))))
    }
}
