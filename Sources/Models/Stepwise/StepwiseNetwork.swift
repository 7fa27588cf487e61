import Autodiff
import NeuralNetworks
import Configuration
import Tensors

// A language model that reads a text symbol by symbol, as generating does. Each layer remembers of the
// symbols read what it needs for the next one, so that a symbol costs one step of the network and not a
// pass over all before it:
//
//   recurrent layers    their states, so the text may be endless
//   attention           keys and values of all positions so far (KeyValueCache)
//   positions           how many symbols there were
//   all others          nothing: each step of theirs is a function of that step alone
//
// A network with attention or positions knows no more positions than it was trained on. When they are used up,
// it reads the last of them anew for each further symbol, the oldest at position 0: every symbol is then
// predicted from as many as the network can see.

extension LayerPlan {
    /// What a layer needs of earlier steps to go on from them.
    enum Memory {
        case none, states, positions, keysAndValues
        case branches(layers: [LayerPlan], shortcut: [LayerPlan])
    }

    /// - Throws: `ModelError` for a layer whose steps see later ones, or that has no steps.
    fileprivate func memory() throws(ModelError) -> Memory {
        switch operation {
        case .linear, .relu, .tanh, .sigmoid, .gelu, .dropout, .embedding, .layerNorm:
            return .none
        case .positions: return .positions
        case .recurrent(let plan):
            guard !plan.options.bidirectional else {
                throw cannotContinue("it is bidirectional, so it needs the end of a text first")
            }
            return .states
        case .transformer(_, let options):
            guard options.causal else {
                throw cannotContinue("it is not causal, so it was trained on seeing later symbols")
            }
            return .keysAndValues
        case .residual(let layers, let shortcut):
            return .branches(layers: layers, shortcut: shortcut)
        case .conv2d, .maxPool2d, .averagePool2d, .globalAveragePool, .batchNorm, .flatten, .rows,
            .lastStep:
            throw cannotContinue("its output is not one per symbol")
        }
    }

    private func cannotContinue(_ reason: String) -> ModelError {
        ModelError(
            path: path, layer: "\(type) \"\(name)\"",
            problem: "a text cannot be continued with this layer: \(reason)")
    }
}

/// A language model with the text that it has read. Used by one thread.
package final class StepwiseNetwork {
    /// The most symbols that a prediction looks back on; nil where all symbols count.
    package let window: Int?
    private let parts: [any StepwisePart]
    /// Symbols the parts remember.
    private var count = 0
    /// The last symbols, at most a window of them.
    private var recent: [Int32] = []
    /// The most symbols that are computed at once, which bounds the memory.
    private static let pieceLength = 256

    /// - Parameters:
    ///   - network: what `model` describes, with the weights to use.
    ///   - input: `tokens` of the length that the network was trained on.
    /// - Throws: `ModelError` naming the layer with which a text cannot be continued.
    package init(
        _ model: ModelConfiguration, network: Sequential, input: FeatureShape, outputs: Int
    ) throws(ModelError) {
        let plans = try ModelBuilder.plan(model, input: input, outputs: outputs)
        guard case .tokens(let length) = input else {
            preconditionFailure("a text is continued by a network of symbols, not of \(input)")
        }
        let parts = try Self.parts(plans, network, length)
        window = parts.contains(where: \.isBounded) ? length : nil
        self.parts = parts
    }

    /// Forgets all symbols.
    package func removeAll() {
        count = 0
        recent = []
        for part in parts { part.removeAll() }
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
        for part in parts { part.removeAll() }
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
        return parts.reduce(Tape(.evaluation).constant(input)) { $1($0, first: first) }.value
    }

    private static func parts(
        _ plans: [LayerPlan], _ network: Sequential, _ length: Int
    ) throws(ModelError) -> [any StepwisePart] {
        var parts: [any StepwisePart] = []
        for (plan, layer) in zip(plans, network.members) {
            parts.append(try part(plan, layer, length))
        }
        precondition(parts.count == plans.count, "\(parts.count) layers of \(plans.count)")
        return parts
    }

    private static func part(
        _ plan: LayerPlan, _ layer: any Layer, _ length: Int
    ) throws(ModelError) -> any StepwisePart {
        switch (try plan.memory(), layer) {
        case (.none, let layer): return PointwisePart(layer: layer)
        case (.states, let layer as any RecurrentLayer): return RecurrentPart(layer)
        case (.positions, let layer as LearnedPositions): return PositionsPart(layer: layer)
        case (.keysAndValues, let layer as TransformerBlock):
            return AttentionPart(layer, capacity: length)
        case (.branches(let layers, let shortcut), let layer as Residual):
            return ResidualPart(
                layers: try parts(layers, layer.layers, length),
                shortcut: try parts(shortcut, layer.shortcut, length))
        default: preconditionFailure("the layer \(plan.name) is not of the type \(plan.type)")
        }
    }
}

/// A layer with its memory of the symbols read.
private protocol StepwisePart {
    /// Whether it takes no more symbols than it was trained on.
    var isBounded: Bool { get }
    /// The steps from `first` on, [1, steps, features].
    func callAsFunction(_ x: Variable, first: Int) -> Variable
    func removeAll()
}

private struct PointwisePart: StepwisePart {
    let layer: any Layer

    var isBounded: Bool { false }
    func callAsFunction(_ x: Variable, first: Int) -> Variable { layer(x) }
    func removeAll() {}
}

private struct PositionsPart: StepwisePart {
    let layer: LearnedPositions

    var isBounded: Bool { true }
    func callAsFunction(_ x: Variable, first: Int) -> Variable { layer(x, first: first) }
    func removeAll() {}
}

private final class RecurrentPart: StepwisePart {
    private let layer: any RecurrentLayer
    /// Values alone: a tape lasts for one call.
    private var states: [(hidden: Tensor, cell: Tensor?)]?

    init(_ layer: any RecurrentLayer) { self.layer = layer }

    var isBounded: Bool { false }

    func callAsFunction(_ x: Variable, first: Int) -> Variable {
        let initial = states?.map {
            RecurrentState(
                hidden: x.tape.constant($0.hidden), cell: $0.cell.map { x.tape.constant($0) })
        }
        let result = layer(x, initial: initial, lengths: nil)
        states = result.final.map { ($0.hidden.value, $0.cell?.value) }
        return result.output
    }

    func removeAll() { states = nil }
}

private struct AttentionPart: StepwisePart {
    private let layer: TransformerBlock
    private let cache: KeyValueCache

    init(_ layer: TransformerBlock, capacity: Int) {
        self.layer = layer
        cache = KeyValueCache(samples: 1, capacity: capacity, width: layer.width)
    }

    var isBounded: Bool { true }
    func callAsFunction(_ x: Variable, first: Int) -> Variable { layer(x, cache: cache) }
    func removeAll() { cache.removeAll() }
}

private struct ResidualPart: StepwisePart {
    let layers: [any StepwisePart]
    let shortcut: [any StepwisePart]

    var isBounded: Bool { (layers + shortcut).contains(where: \.isBounded) }

    func callAsFunction(_ x: Variable, first: Int) -> Variable {
        let side = shortcut.reduce(x) { $1($0, first: first) }
        return add(layers.reduce(x) { $1($0, first: first) }, side)
    }

    func removeAll() { for part in layers + shortcut { part.removeAll() } }
}
