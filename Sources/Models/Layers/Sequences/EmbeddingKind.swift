import Autodiff
import Configuration
import NeuralNetworks

/// A vector for each symbol.
struct EmbeddingKind: PositionwiseKind {
    static let name = "embedding"
    static let keys = ["width", "sparse"]

    let width: Int
    let isSparse: Bool

    init(_ reader: ConfigurationReader) throws(ConfigurationError) {
        width = try reader.requiredInteger("width", sizeRange)
        isSparse = try reader.bool("sparse") ?? false
    }

    var resolved: [String: ConfigurationValue] {
        ["width": .integer(width), "sparse": .bool(isSparse)]
    }

    func output(for context: LayerContext) throws(ModelError) -> FeatureShape {
        guard let length = context.input.tokens else { throw context.needs("symbols") }
        return .sequence(length: length, features: width)
    }

    func layer(for context: LayerContext, stream: inout InitializationStream) -> any Layer {
        SymbolEmbedding(
            symbols: context.outputs, width: width, isSparse: isSparse, stream: &stream)
    }
}

/// Vectors of symbols that come as floats, [N, T] -> [N, T, width]. Floats hold symbols exactly up
/// to 2^24.
package struct SymbolEmbedding: Layer {
    private let table: Embedding

    package init(
        symbols: Int, width: Int, isSparse: Bool = false, stream: inout InitializationStream
    ) {
        table = Embedding(symbols, width, isSparse: isSparse, stream: &stream)
    }

    package var parts: [(name: String, value: Any)] { table.parts }

    package func callAsFunction(_ x: Variable) -> Variable {
        let count = x.value.count
        let symbols = (0..<count).map { Int32(x.value.pointer[$0]) }
        return table(symbols, shape: x.shape, tape: x.tape)
    }
}
