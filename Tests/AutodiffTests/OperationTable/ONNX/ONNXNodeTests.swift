import Autodiff
import Foundation
import Tensors
import Testing

// The node tests of ONNX as an outside judge of our operations. They run by name, with the path of
// the cases in RONDO_ONNX_CASES (site-packages/onnx/backend/test/data/node of the wheel onnx
// 1.22.0):
//
//     RONDO_ONNX_CASES=... swift test -c release --filter ONNXNodeTests
//
// A case passes when all outputs have the right shape and type and are within ONNX's own tolerance
// (relative 1e-3, absolute 1e-7). A case that needs what we do not have is excluded, with the
// reason.

@Suite struct ONNXNodeTests {
    static let folder = ProcessInfo.processInfo.environment["RONDO_ONNX_CASES"]

    private static let operators = ONNXElementwise.operators
        .merging(ONNXReductions.operators, uniquingKeysWith: { $1 })
        .merging(ONNXMovement.operators, uniquingKeysWith: { $1 })
        .merging(ONNXMatrices.operators, uniquingKeysWith: { $1 })
        .merging(ONNXImages.operators, uniquingKeysWith: { $1 })
        .merging(ONNXRecurrent.operators, uniquingKeysWith: { $1 })

    /// Steps of a graph that are no operations of ours: a case of these alone judges nothing.
    private static let bookkeeping: Set = ["Shape", "Size", "Constant", "Cast", "CastLike"]

    private enum Verdict {
        case passed
        case failed(String)
        case excluded(String)
    }

    @Test(.enabled(if: folder != nil, "set RONDO_ONNX_CASES to the folder of the cases"))
    func cases() throws {
        let folder = URL(fileURLWithPath: try #require(Self.folder))
        let names = try FileManager.default.contentsOfDirectory(atPath: folder.path)
            .filter { $0.hasPrefix("test_") }.sorted()
        var passed: [String] = []
        var failed: [String] = []
        var excluded: [String: [String]] = [:]
        for name in names {
            switch Self.verdict(folder.appendingPathComponent(name)) {
            case .passed: passed.append(name)
            case .failed(let words): failed.append("\(name): \(words)")
            case .excluded(let reason): excluded[reason, default: []].append(name)
            }
        }
        let expanded = passed.count { $0.hasSuffix("_expanded") || $0.contains("_expanded_ver") }
        for (reason, names) in excluded.sorted(by: { $0.value.count > $1.value.count }) {
            print("excluded \(names.count): \(reason), such as \(names[0])")
        }
        for line in failed { print("failed \(line)") }
        let excludedCount = excluded.values.reduce(0) { $0 + $1.count }
        print(
            "ONNX node tests: \(passed.count) passed (\(expanded) of them expanded graphs), "
                + "\(failed.count) failed, \(excludedCount) excluded of \(names.count)")
        #expect(failed == [])
        #expect(passed.count - expanded >= 400)
    }

    private static func verdict(_ folder: URL) -> Verdict {
        do {
            let model = try ONNXModel(
                Data(contentsOf: folder.appendingPathComponent("model.onnx")))
            let data = folder.appendingPathComponent("test_data_set_0")
            func tensors(_ kind: String, _ count: Int) throws -> [ONNXTensor] {
                try (0..<count).map { number in
                    let file = data.appendingPathComponent("\(kind)_\(number).pb")
                    return try ONNXTensor(ProtobufMessage(Data(contentsOf: file)))
                }
            }
            let inputs = try tensors("input", model.inputs.count)
            let expected = try tensors("output", model.outputs.count)
            let outputs = try run(model, inputs)
            for (name, (output, wanted)) in zip(model.outputs, zip(outputs, expected)) {
                if let words = difference(output, wanted) { return .failed("\(name) \(words)") }
            }
            return .passed
        } catch let exclusion as ONNXExclusion {
            return .excluded(exclusion.reason)
        } catch {
            return .failed("\(error)")
        }
    }

    private static func run(_ model: ONNXModel, _ inputs: [ONNXTensor]) throws -> [ONNXTensor] {
        if model.nodes.allSatisfy({ bookkeeping.contains($0.operation) }) {
            throw ONNXExclusion("shapes, constants and conversions: Float32 is our one type")
        }
        let tape = Tape(.evaluation)
        var values: [String: ONNXTensor] = [:]
        for tensor in model.constants { values[tensor.name] = tensor }
        for (name, tensor) in zip(model.inputs, inputs) { values[name] = tensor }
        for node in model.nodes {
            guard ["", "ai.onnx"].contains(node.domain) else {
                throw ONNXExclusion("operators of \(node.domain)")
            }
            if node.operation == "Constant" {
                values[node.outputs[0]] = try constant(node)
                continue
            }
            // Conversions only carry values between the steps of a graph: we have one element type.
            if ["Cast", "CastLike"].contains(node.operation), model.nodes.count > 1 {
                values[node.outputs[0]] = try converted(node, values)
                continue
            }
            guard let operation = operators[node.operation] else {
                throw ONNXExclusion("no operation \(node.operation)")
            }
            let call = ONNXCall(node: node, inputs: node.inputs.map { values[$0] }, tape: tape)
            let results = try operation(call)
            for (name, result) in zip(node.outputs, results) where !name.isEmpty {
                values[name] = result
            }
        }
        return try model.outputs.map { name in
            guard let value = values[name] else { throw ONNXExclusion("output \(name)") }
            return value
        }
    }

    private static func constant(_ node: ONNXNode) throws -> ONNXTensor {
        if let tensor = try node.tensor("value") { return tensor }
        if node.has("value_float") {
            return ONNXTensor([], .float, [Double(node.float("value_float", 0))])
        }
        if node.has("value_int") {
            return ONNXTensor([], .int64, [Double(try node.integer("value_int", 0))])
        }
        if let list = node.floats("value_floats"), node.has("value_floats") {
            return ONNXTensor([list.count], .float, list.map(Double.init))
        }
        if let list = try node.integers("value_ints"), node.has("value_ints") {
            return ONNXTensor([list.count], .int64, list.map(Double.init))
        }
        throw ONNXExclusion("a constant that is no number")
    }

    private static func converted(
        _ node: ONNXNode, _ values: [String: ONNXTensor]
    ) throws -> ONNXTensor {
        let like = node.inputs.count > 1 ? values[node.inputs[1]]?.element : nil
        let code = try node.integer("to", like?.rawValue ?? 0)
        guard let input = values[node.inputs[0]],
            let element = ONNXTensor.Element(rawValue: code)
        else { throw ONNXExclusion("conversion to element type \(code)") }
        return input.stored(as: element)
    }

    /// What is wrong with an output, or nil.
    private static func difference(_ output: ONNXTensor, _ wanted: ONNXTensor) -> String? {
        if output.shape != wanted.shape { return "has shape \(output.shape), not \(wanted.shape)" }
        if output.element != wanted.element {
            return "has type \(output.element), not \(wanted.element)"
        }
        for (place, (got, right)) in zip(output.values, wanted.values).enumerated() {
            if got.isNaN && right.isNaN || got == right { continue }
            if abs(got - right) <= 1e-7 + 1e-3 * abs(right), right.isFinite { continue }
            return "is \(got) at \(place), not \(right)"
        }
        return nil
    }
}
