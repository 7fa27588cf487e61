import Autodiff

/// Recurrent layers on top of each other, each with an identity skip: y = layer(x) + x.
///
/// Deep recurrent stacks train with skips that do not train without (Wu et al. 2016, section 3.1).
/// A layer whose output has another width than its input, usually the first, has none.
public struct ResidualRecurrent: RecurrentLayer {
    private let layers: [any RecurrentLayer]
    private let dropoutProbability: Float
    private let batchFirst: Bool

    /// - Parameters:
    ///   - layers: with the steps first; each takes what the one below gives.
    ///   - dropout: probability between layers.
    public init(_ layers: [any RecurrentLayer], dropout: Float = 0, batchFirst: Bool = false) {
        checkStack(layers)
        self.layers = layers
        dropoutProbability = dropout
        self.batchFirst = batchFirst
    }

    /// The layers under "layers.0" and so on.
    public var parts: [(name: String, value: Any)] { [("layers", layers)] }
    /// The last size of the input.
    public var inputFeatures: Int { layers[0].inputFeatures }
    /// The last size of the output.
    public var outputFeatures: Int { layers[layers.count - 1].outputFeatures }
    /// The states of all layers together.
    public var stateCount: Int { layers.reduce(0) { $0 + $1.stateCount } }

    /// Outputs in the order of the input, steps first or batch first.
    public func callAsFunction(
        _ x: Variable, initial: [RecurrentState]?, lengths: [Int32]?
    ) -> RecurrentOutput {
        runStack(
            layers, x, initial: initial, lengths: lengths, dropout: dropoutProbability,
            batchFirst: batchFirst
        ) { _, input, output in
            input.shape == output.shape ? add(input, output) : output
        }
    }
}

/// - Precondition: at least one layer, each as wide as the one below gives.
func checkStack(_ layers: [any RecurrentLayer]) {
    precondition(!layers.isEmpty, "a stack without layers")
    for (below, above) in zip(layers, layers.dropFirst()) {
        precondition(
            below.outputFeatures == above.inputFeatures,
            "a layer of \(above.inputFeatures) inputs on one of \(below.outputFeatures) outputs")
    }
}

/// Runs layers one after another, each with a connection around it that `join` makes from (layer
/// number, input, output). Padded steps of the output stay zero.
func runStack(
    _ layers: [any RecurrentLayer], _ x: Variable, initial: [RecurrentState]?, lengths: [Int32]?,
    dropout probability: Float, batchFirst: Bool,
    join: (Int, _ input: Variable, _ output: Variable) -> Variable
) -> RecurrentOutput {
    let stateCount = layers.reduce(0) { $0 + $1.stateCount }
    precondition(
        initial.map { $0.count == stateCount } ?? true,
        "\(initial?.count ?? 0) initial states for \(stateCount)")
    var value = batchFirst ? swapLeadingDimensions(x) : x
    var final: [RecurrentState] = []
    for (index, layer) in layers.enumerated() {
        if index > 0 { value = dropout(value, probability: probability) }
        let states = initial.map { Array($0[final.count..<final.count + layer.stateCount]) }
        let result = layer(value, initial: states, lengths: lengths)
        value = join(index, value, result.output)
        if let lengths { value = zeroPaddedSteps(value, lengths: lengths) }
        final += result.final
    }
    return RecurrentOutput(
        output: batchFirst ? swapLeadingDimensions(value) : value, final: final)
}
