import Autodiff
import NeuralNetworks
import Tensors
import TestSupport
import Testing

/// Attention and Transformer layers against PyTorch: results, input and parameter gradients.
@Suite struct AttentionReferenceTests {
    @Test func layersAgreeWithPyTorch() throws {
        let file = try ReferenceFile("reference/attention.json")
        let table = ReferenceTable("Attention against PyTorch", file)
        multiHead(table)
        transformers(table)
        scoredBySums(table)
        small(table)
        table.finish()
        let missing = PublicNames.attentionLayers.subtracting(table.kinds).sorted()
        #expect(missing == [], "layers without a case")
        let layers = try PublicNames.layers()
        #expect(
            PublicNames.attentionLayers.subtracting(layers) == [], "layers that are not there")
    }

    private struct MultiHeadCase {
        let name: String
        let samples: Int, steps: Int, width: Int, heads: Int
        var keySteps: Int?
        var lengths: [Int32]?
        var isCausal = false
        var keyWidth: Int?, valueWidth: Int?
    }

    private func multiHead(_ table: ReferenceTable) {
        let cases = [
            MultiHeadCase(name: "self", samples: 2, steps: 5, width: 8, heads: 2),
            MultiHeadCase(name: "self one head", samples: 3, steps: 4, width: 6, heads: 1),
            MultiHeadCase(name: "self one step", samples: 2, steps: 1, width: 8, heads: 2),
            MultiHeadCase(
                name: "causal", samples: 2, steps: 7, width: 12, heads: 3, isCausal: true),
            MultiHeadCase(
                name: "padding", samples: 3, steps: 5, width: 8, heads: 2, lengths: [5, 3, 1]),
            MultiHeadCase(
                name: "causal padding", samples: 2, steps: 6, width: 8, heads: 4, lengths: [6, 2],
                isCausal: true),
            MultiHeadCase(name: "cross", samples: 2, steps: 4, width: 8, heads: 2, keySteps: 6),
            MultiHeadCase(
                name: "cross padding", samples: 2, steps: 4, width: 8, heads: 2, keySteps: 6,
                lengths: [6, 2]),
            MultiHeadCase(
                name: "cross widths", samples: 2, steps: 4, width: 8, heads: 2, keySteps: 3,
                keyWidth: 6, valueWidth: 10),
            MultiHeadCase(
                name: "two tiles", samples: 1, steps: 70, width: 8, heads: 2, isCausal: true),
            MultiHeadCase(
                name: "two tiles padding", samples: 1, steps: 67, width: 4, heads: 1,
                lengths: [66]),
            MultiHeadCase(
                name: "five tiles", samples: 1, steps: 258, width: 4, heads: 1, isCausal: true),
        ]
        for entry in cases {
            var stream = InitializationStream(seed: 1)
            let layer = MultiHeadAttention(
                entry.width, heads: entry.heads, keyWidth: entry.keyWidth,
                valueWidth: entry.valueWidth, stream: &stream)
            var inputs = [
                (name: "x", shape: Shape([entry.samples, entry.steps, entry.width]), scale: 1.0)
            ]
            if let steps = entry.keySteps {
                inputs.append(
                    ("keys", [entry.samples, steps, entry.keyWidth ?? entry.width], 1))
                if let width = entry.valueWidth {
                    inputs.append(("values", [entry.samples, steps, width], 1))
                }
            }
            let mask = AttentionMask(isCausal: entry.isCausal, keyLengths: entry.lengths)
            let map = AttentionMap()
            table.compare(
                entry.name, kind: kind(layer), inputs: inputs, parameters: parameters(layer)
            ) { inputs in
                switch inputs.count {
                case 1: layer(inputs[0], mask: mask, map: map)
                case 2: layer(inputs[0], memory: inputs[1], mask: mask, map: map)
                default:
                    layer(inputs[0], keys: inputs[1], values: inputs[2], mask: mask, map: map)
                }
            }
            if entry.steps <= 8, let probabilities = map.probabilities {
                table.compare(
                    "\(entry.name) map", kind: kind(layer), ["map": probabilities])
            }
        }
    }

    private func transformers(_ table: ReferenceTable) {
        let relu = TransformerShape(width: 8, heads: 2, hidden: 16)
        var gelu = relu
        gelu.activation = .gelu
        var pre = relu
        pre.normFirst = true
        var preGELU = gelu
        preGELU.normFirst = true
        var unbiased = preGELU
        unbiased.bias = false
        var causalHeads = preGELU
        (causalHeads.heads, causalHeads.hidden) = (4, 20)
        let tanhForm = TransformerShape(
            width: 12, heads: 3, hidden: 20, activation: .gelu(.tanh), normFirst: true)
        let encoders: [(String, TransformerShape, [Int], AttentionMask)] = [
            ("encoder post relu", relu, [2, 5, 8], .none),
            ("encoder post gelu padding", gelu, [2, 5, 8], AttentionMask(keyLengths: [5, 2])),
            ("encoder pre relu", pre, [2, 5, 8], .none),
            ("encoder pre gelu causal", causalHeads, [2, 6, 8], .causal),
            ("encoder pre tanh causal", tanhForm, [1, 9, 12], .causal),
            ("encoder no bias", unbiased, [2, 4, 8], .none),
        ]
        for (name, shape, input, mask) in encoders {
            var stream = InitializationStream(seed: 1)
            let layer = TransformerEncoderLayer(shape, stream: &stream)
            table.compare(
                name, kind: kind(layer), inputs: [("x", Shape(input), 1)],
                parameters: parameters(layer)
            ) { layer($0[0], mask: mask) }
        }
        let decoders: [(String, TransformerShape, Int, Int, AttentionMask)] = [
            ("decoder post relu", relu, 5, 4, .none),
            ("decoder pre gelu", preGELU, 5, 6, .none),
            ("decoder post padding", relu, 3, 6, AttentionMask(keyLengths: [6, 3])),
        ]
        for (name, shape, steps, memorySteps, mask) in decoders {
            var stream = InitializationStream(seed: 1)
            let layer = TransformerDecoderLayer(shape, stream: &stream)
            table.compare(
                name, kind: kind(layer),
                inputs: [("x", [2, steps, 8], 1), ("memory", [2, memorySteps, 8], 1)],
                parameters: parameters(layer)
            ) { layer($0[0], memory: $0[1], memoryMask: mask) }
        }
    }

    private func scoredBySums(_ table: ReferenceTable) {
        let additive: [(String, Shape, Shape, Int, [Int32]?)] = [
            ("additive", [2, 3, 5], [2, 4, 6], 7, nil),
            ("additive padding", [2, 3, 5], [2, 4, 6], 7, [4, 2]),
            ("additive wide", [1, 1, 8], [1, 5, 8], 35, nil),
        ]
        for (name, queries, keys, hidden, lengths) in additive {
            var stream = InitializationStream(seed: 1)
            let layer = AdditiveAttention(
                queryWidth: queries[2], keyWidth: keys[2], hidden: hidden, stream: &stream)
            table.compare(
                name, kind: kind(layer),
                inputs: [("queries", queries, 1), ("keys", keys, 1)],
                parameters: parameters(layer)
            ) { layer($0[0], keys: $0[1], keyLengths: lengths) }
        }
        let dot = MultiplicativeAttention()
        table.compare(
            "multiplicative dot", kind: kind(dot),
            inputs: [("queries", [2, 3, 6], 1), ("keys", [2, 5, 6], 1)]
        ) { dot($0[0], keys: $0[1], keyLengths: [5, 3]) }
        var stream = InitializationStream(seed: 1)
        let general = MultiplicativeAttention(queryWidth: 5, keyWidth: 6, stream: &stream)
        table.compare(
            "multiplicative general", kind: kind(general),
            inputs: [("queries", [2, 3, 5], 1), ("keys", [2, 4, 6], 1)],
            parameters: parameters(general)
        ) { general($0[0], keys: $0[1]) }
    }

    private func small(_ table: ReferenceTable) {
        for (name, form) in [("linear gelu erf", GELUForm.erf), ("linear gelu tanh", .tanh)] {
            let weight = Parameter(Tensor(zeros: [19, 6]))
            let bias = Parameter(Tensor(zeros: [19]))
            table.compare(
                name, kind: "linearGELU", inputs: [("x", [5, 6], 4)],
                parameters: [("weight", weight), ("bias", bias)]
            ) { linearGELU($0[0], weight: weight, bias: bias, form: form) }
        }
        let feedForward: [(String, FeedForwardActivation, Bool)] = [
            ("relu", .relu, true), ("gelu erf", .gelu, true), ("gelu tanh", .gelu(.tanh), true),
            ("gelu no bias", .gelu, false),
        ]
        var stream = InitializationStream(seed: 1)
        for (name, activation, bias) in feedForward {
            let layer = FeedForward(
                6, hidden: 19, activation: activation, bias: bias, stream: &stream)
            table.compare(
                "feed-forward \(name)", kind: kind(layer), inputs: [("x", [2, 3, 6], 1)],
                parameters: parameters(layer)
            ) { layer($0[0]) }
        }
        let learned = LearnedPositions(9, 6, stream: &stream)
        table.compare(
            "positions learned", kind: kind(learned), inputs: [("x", [2, 4, 6], 1)],
            parameters: parameters(learned)
        ) { learned($0[0], first: 3) }
        let tape = Tape(.evaluation)
        let zeros = tape.constant(Tensor(zeros: [1, 50, 10]))
        let fixed = SinusoidalPositions(50, 10)
        table.compare("positions sinusoidal", kind: kind(fixed), ["y": fixed(zeros).value])
    }
}

/// The name of a layer's type.
private func kind(_ module: any Module) -> String { "\(type(of: module))" }

/// The parameters of a module under PyTorch's names.
func parameters(_ module: any Module) -> [(name: String, parameter: Parameter)] {
    module.namedStates.compactMap { state in
        guard case .parameter(let name, let parameter) = state else { return nil }
        return (name, parameter)
    }
}
