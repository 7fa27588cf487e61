import Autodiff
import NeuralNetworks

/// A layer of a text that is read symbol by symbol, with its memory of the symbols read. Used by
/// one thread.
package protocol StepwiseLayer {
    /// Whether it takes no more symbols than the network was trained on.
    var isBounded: Bool { get }
    /// The steps from `first` on: [1, steps, features].
    func callAsFunction(_ x: Variable, first: Int) -> Variable
    /// Forgets all symbols.
    func removeAll()
}

/// A layer that computes each step from that step alone, so it remembers nothing.
struct PositionwiseSteps: StepwiseLayer {
    let layer: any Layer

    var isBounded: Bool { false }
    func callAsFunction(_ x: Variable, first: Int) -> Variable { layer(x) }
    func removeAll() {}
}

extension LayerKind {
    /// `layer` as the type that this kind builds.
    func built<Built>(_ layer: any Layer) -> Built {
        guard let built = layer as? Built else {
            preconditionFailure("\(type(of: layer)) is not what a \(Self.name) builds")
        }
        return built
    }
}
