import Autodiff
import NeuralNetworks

/// Self-attention over the symbols read, whose keys and values are kept.
struct AttentionSteps: StepwiseLayer {
    private let attend: (_ x: Variable, _ cache: KeyValueCache) -> Variable
    private let cache: KeyValueCache

    init(
        capacity: Int, width: Int,
        attend: @escaping (_ x: Variable, _ cache: KeyValueCache) -> Variable
    ) {
        self.attend = attend
        cache = KeyValueCache(samples: 1, capacity: capacity, width: width)
    }

    var isBounded: Bool { true }
    func callAsFunction(_ x: Variable, first: Int) -> Variable { attend(x, cache) }
    func removeAll() { cache.removeAll() }
}

extension LayerContext {
    /// Why a text cannot be continued with attention in both directions.
    var seesLaterSymbols: ModelError {
        cannotContinue("it is not causal, so it was trained on seeing later symbols")
    }
}
