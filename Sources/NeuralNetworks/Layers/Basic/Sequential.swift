import Autodiff

/// Layers one after another, each with the name that its parameters carry.
public struct Sequential: Layer {
    private let layers: [(name: String, layer: any Layer)]
    /// The passes in their order: of one layer, or of neighbours that are computed together.
    private let passes: [(Variable) -> Variable]

    /// Layers with names of their own.
    public init(named layers: [(name: String, layer: any Layer)]) {
        self.layers = layers
        passes = Self.passes(layers.map(\.layer))
    }

    /// Layers named by their position, as in PyTorch's Sequential.
    public init(_ layers: any Layer...) {
        self.init(named: layers.enumerated().map { (String($0.offset), $0.element) })
    }

    /// The layers in their order.
    package var members: [any Layer] { layers.map(\.layer) }

    /// The layers under their names.
    public var parts: [(name: String, value: Any)] { layers.map { ($0.name, $0.layer) } }

    /// The last layer's output.
    public func callAsFunction(_ x: Variable) -> Variable {
        var value = x
        for pass in passes { value = pass(value) }
        return value
    }

    /// The forward pass of a batch that may be padded.
    public func callAsFunction(_ x: Features) -> Features {
        guard x.lengths != nil else { return Features(self(x.values)) }
        return layers.reduce(x) { $1.layer($0) }
    }

    private static func passes(_ layers: [any Layer]) -> [(Variable) -> Variable] {
        var passes: [(Variable) -> Variable] = []
        var rest = layers[...]
        while let layer = rest.popFirst() {
            if let fused = layer.fused(with: rest) {
                passes.append(fused.pass)
                rest.removeFirst(fused.followingCount)
            } else {
                passes.append { layer($0) }
            }
        }
        return passes
    }

    /// The layers but the last, and the last if it is a norm.
    fileprivate var splitAtFinalNorm: (before: Sequential, norm: BatchNorm)? {
        guard let norm = layers.last?.layer as? BatchNorm else { return nil }
        return (Sequential(named: Array(layers.dropLast())), norm)
    }
}

/// layers(x) + shortcut(x), a residual block (He et al. 2016); an empty shortcut is the identity.
public struct Residual: Layer {
    package let layers: Sequential
    package let shortcut: Sequential
    private let split: (before: Sequential, norm: BatchNorm)?

    /// `layers` must keep the shape of their input, or `shortcut` must change it likewise.
    public init(_ layers: Sequential, shortcut: Sequential) {
        self.layers = layers
        self.shortcut = shortcut
        split = layers.splitAtFinalNorm
    }

    /// The layers under their own names, then those of the shortcut below "shortcut".
    public var parts: [(name: String, value: Any)] {
        layers.parts + [(name: "shortcut", value: shortcut)]
    }

    /// The sum of both branches.
    public func callAsFunction(_ x: Variable) -> Variable { callAsFunction(x, relu: false) }

    /// The forward pass of a batch that may be padded.
    /// - Precondition: both branches give sequences of the same lengths.
    public func callAsFunction(_ x: Features) -> Features {
        guard x.lengths != nil else { return Features(self(x.values)) }
        let main = layers(x)
        let side = shortcut(x)
        precondition(
            main.lengths == side.lengths, "a residual block of two branches of different lengths")
        return Features(add(main.values, side.values), lengths: main.lengths)
    }

    /// The block with the ReLU behind it.
    public func fused(with following: ArraySlice<any Layer>) -> FusedLayers? {
        guard following.first?.isRelu == true else { return nil }
        return FusedLayers(followingCount: 1) { callAsFunction($0, relu: true) }
    }

    /// The forward pass, and with `relu` that of the ReLU behind it.
    private func callAsFunction(_ x: Variable, relu: Bool) -> Variable {
        guard let (before, norm) = split else {
            let sum = add(layers(x), shortcut(x))
            return relu ? Autodiff.relu(sum) : sum
        }
        let main = before(x)
        let residual = shortcut(x)
        // Shapes that broadcast are left to the sum.
        guard residual.shape == main.shape else {
            let sum = add(norm(main), residual)
            return relu ? Autodiff.relu(sum) : sum
        }
        return norm(main, adding: residual, relu: relu)
    }
}
