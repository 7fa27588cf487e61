// Every kind of layer in the catalog has at least one example here, and each example is held
// against the rules that no compiler checks.

import Autodiff
import Configuration
import Foundation
import Models
import NeuralNetworks
import Tensors
import TestSupport
import Testing

@Suite struct LayerCatalogTests {
    @Test func everyKindHasAnExample() {
        let named = LayerExample.all.map(\.type)
        #expect(Set(named) == Set(LayerCatalog.kinds.map { $0.name }))
    }

    @Test func namesAreUnique() {
        let names = LayerCatalog.kinds.map { $0.name }
        #expect(Set(names).count == names.count)
        for kind in LayerCatalog.kinds {
            #expect(Set(kind.keys).count == kind.keys.count, "\(kind.name)")
            #expect(Set(kind.keys).isDisjoint(with: ["type", "name"]), "\(kind.name)")
        }
    }

    /// A run's folder keeps the resolved form, which has to mean the same in it.
    @Test(arguments: LayerExample.all)
    func resolvedFormReadsBackEqual(example: LayerExample) throws {
        let layer = try example.layer()
        #expect(Set(layer.kind.resolved.keys) == Set(type(of: layer.kind).keys))
        let again = try LayerExample.layer(layer.resolved)
        #expect(again == layer)
        #expect(again.resolved == layer.resolved)
    }

    /// A key with a letter too many is refused, and the right one is suggested.
    @Test(arguments: LayerExample.all)
    func unknownKeyIsRefusedWithASuggestion(example: LayerExample) throws {
        guard case .object(let members) = try example.layer().resolved else { return }
        for key in try type(of: example.layer().kind).keys + ["name"] {
            var wrong = members
            wrong[key + "x"] = .integer(1)
            let error = try #require(throws: ConfigurationError.self) {
                try LayerExample.layer(.object(wrong))
            }
            #expect(
                error.description
                    == "test: unknown key \"model.layers.0.\(key)x\"; did you mean \"\(key)\"?")
        }
    }

    /// A key that only another kind has is refused too.
    @Test(arguments: LayerExample.all)
    func keysOfOtherKindsAreRefused(example: LayerExample) throws {
        guard case .object(let members) = try example.layer().resolved else { return }
        let own = try type(of: example.layer().kind).keys
        for key in Set(LayerCatalog.kinds.flatMap { $0.keys }).subtracting(own) {
            var wrong = members
            wrong[key] = .integer(1)
            let error = try #require(throws: ConfigurationError.self) {
                try LayerExample.layer(.object(wrong))
            }
            #expect(error.description.contains("unknown key \"model.layers.0.\(key)\""))
        }
    }

    @Test(arguments: LayerExample.all)
    func outputIsAsTheForwardPassGivesIt(example: LayerExample) throws {
        let list = try example.list()
        #expect("\(list.output)" == example.output)
        let y = try example.network()(Tape(.evaluation).constant(example.batch()))
        #expect(y.shape == Shape([2] + list.output.sampleShape.dimensions))
    }

    /// The table of a model counts a network whose weights were not drawn.
    @Test(arguments: LayerExample.all)
    func scalarsAreThoseOfTheBuiltLayer(example: LayerExample) throws {
        var undrawn = InitializationStream.undrawn
        #expect(try example.list().sequential(stream: &undrawn).scalarCount == example.scalars)
        let store = ParameterStore(adopting: try example.network())
        #expect(store.scalarCount == example.scalars)
    }

    @Test(arguments: LayerExample.all)
    func gradientsAreRight(example: LayerExample) throws {
        let network = try example.network()
        let parameters = network.namedStates.compactMap { state in
            if case .parameter(_, let parameter) = state { parameter } else { nil }
        }
        let batch = example.batch()
        // Symbols have no gradient.
        let inputs = example.input.tokens == nil ? [batch] : []
        guard !(inputs.isEmpty && parameters.isEmpty) else { return }
        let check = GradientCheck()
        if let input = inputs.first {
            check.expectRight(inputs: [input], parameters: parameters) { network($0[0]) }
        } else {
            // The tape comes with a constant that takes no part.
            let errors = check.errors(inputs: [Tensor(zeros: [1])], parameters: parameters) {
                network($0[0].tape.constant(batch))
            }
            #expect(errors.dropFirst().allSatisfy { $0 < GradientCheck.limit }, "\(errors)")
        }
    }

    @Test(arguments: [
        (#"{type: "gelu", approximate: "erf"}"#, "which is not known; known: none, tanh"),
        (#"{type: "hardtanh", minVal: 2}"#, "1.0 is not above a \"minVal\" of 2.0"),
        (#"{type: "conv1d", outputChannels: 4, kernel: 2, padding: "same"}"#, "an odd kernel"),
        (
            #"{type: "conv1d", outputChannels: 4, kernel: 3, padding: "all"}"#,
            "must be a whole number or \"same\", got \"all\""
        ),
        (
            #"{type: "convTranspose2d", outputChannels: 4, kernel: 3, outputPadding: 1}"#,
            "is not below the stride"
        ),
        (#"{type: "sillu"}"#, "did you mean \"silu\"?"),
    ])
    func mistakesInOptionsAreNamed(layer: String, message: String) throws {
        let error = try #require(throws: ConfigurationError.self) {
            try LayerExample(layer, on: .vector(4), gives: "").layer()
        }
        #expect(error.description.contains(message), "\(error)")
    }

    @Test(arguments: [
        (
            #"{type: "conv1d", outputChannels: 4, kernel: 3, dilation: 3}"#,
            FeatureShape.sequence(length: 6, features: 2),
            "a kernel of 7 steps does not fit on its input 6 steps of 2 with padding 0"
        ),
        (
            #"{type: "conv2d", outputChannels: 4, kernel: 3, dilation: [1, 2]}"#,
            .image(channels: 1, height: 4, width: 4),
            "a kernel of 3x5 does not fit on its input 1x4x4 with padding 0x0"
        ),
        (
            #"{type: "convTranspose2d", outputChannels: 4, kernel: 1, padding: 2}"#,
            .image(channels: 1, height: 4, width: 4),
            "nothing is left of its input 1x4x4 with padding 2x2 and a kernel of 1x1"
        ),
        (
            #"{type: "groupNorm", groups: 3}"#, .image(channels: 4, height: 2, width: 2),
            "3 groups do not divide 4 channels"
        ),
        (#"{type: "groupNorm", groups: 3}"#, .tokens(4), "needs an image or a vector"),
        (#"{type: "feedForward", hidden: 3}"#, .tokens(4), "needs a vector or a sequence"),
        (
            #"{type: "selfAttention", heads: 3}"#, .sequence(length: 2, features: 4),
            "3 heads do not divide its 4 features"
        ),
        (
            #"{type: "sinusoidalPositions"}"#, .vector(4),
            "needs a sequence, but its input is a vector of 4 features"
        ),
    ])
    func inputsThatDoNotFitAreNamed(layer: String, input: FeatureShape, message: String) throws {
        let error = try #require(throws: ModelError.self) {
            try LayerExample(layer, on: input, gives: "").list()
        }
        #expect(error.description.hasPrefix("model.layers.0 ("))
        #expect(error.description.contains(message), "\(error)")
    }
}
