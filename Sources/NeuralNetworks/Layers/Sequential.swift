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
        layers.reduce(x) { value, entry in entry.layer(value) }
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
    public func callAsFunction(_ x: Variable) -> Variable { add(layers(x), shortcut(x)) }
}
