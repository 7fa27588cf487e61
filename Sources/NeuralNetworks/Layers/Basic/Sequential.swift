import Autodiff

/// Layers one after another, each with the name that its parameters carry.
public struct Sequential: Layer {
    private let layers: [(name: String, layer: any Layer)]

    /// Layers with names of their own.
    public init(named layers: [(name: String, layer: any Layer)]) { self.layers = layers }

    /// Layers named by their position, as in PyTorch's Sequential.
    public init(_ layers: any Layer...) {
        self.layers = layers.enumerated().map { (String($0.offset), $0.element) }
    }

    /// The layers in their order.
    package var members: [any Layer] { layers.map(\.layer) }

    /// The layers under their names.
    public var parts: [(name: String, value: Any)] { layers.map { ($0.name, $0.layer) } }

    /// The forward pass.
    public func callAsFunction(_ x: Variable) -> Variable {
        var value = x
        var rest = layers[...]
        while let layer = rest.popFirst()?.layer {
            if let convolution = layer as? Conv2d, let (pool, count) = Self.pool(at: rest) {
                value = convolution(value, pool: pool)
                rest.removeFirst(count)
            } else if let next = rest.first?.layer, let both = joined(layer, next, value) {
                value = both
                rest.removeFirst()
            } else {
                value = layer(value)
            }
        }
        return value
    }

    /// The max pool that comes next, directly or behind a ReLU, and how many layers that is.
    private static func pool(
        at layers: ArraySlice<(name: String, layer: any Layer)>
    ) -> (window: PoolWindow, count: Int)? {
        if let pool = layers.first?.layer as? MaxPool2d { return (pool.window(relu: false), 1) }
        guard (layers.first?.layer as? Activation)?.isRelu == true,
            let pool = layers.dropFirst().first?.layer as? MaxPool2d, pool.takesRelu
        else { return nil }
        return (pool.window(relu: true), 2)
    }

    /// What two neighbours give together where that takes fewer runs over memory; the bits are the same.
    private func joined(_ first: any Layer, _ second: any Layer, _ x: Variable) -> Variable? {
        let isRelu = (second as? Activation)?.isRelu == true
        switch first {
        case let norm as BatchNorm where isRelu: return norm(x, adding: nil, relu: true)
        case let block as Residual where isRelu: return block(x, relu: true)
        case let activation as Activation where activation.isRelu:
            guard let pool = second as? MaxPool2d, pool.takesRelu else { return nil }
            return pool(x, relu: true)
        default: return nil
        }
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

    /// `layers` must keep the shape of their input, or `shortcut` must change it likewise.
    public init(_ layers: Sequential, shortcut: Sequential) {
        self.layers = layers
        self.shortcut = shortcut
    }

    /// The layers under their own names, then those of the shortcut below "shortcut".
    public var parts: [(name: String, value: Any)] {
        layers.parts + [(name: "shortcut", value: shortcut)]
    }

    /// The forward pass.
    public func callAsFunction(_ x: Variable) -> Variable { callAsFunction(x, relu: false) }

    /// The forward pass, and with `relu` that of the ReLU behind it.
    func callAsFunction(_ x: Variable, relu: Bool) -> Variable {
        guard let (before, norm) = layers.splitAtFinalNorm else {
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
