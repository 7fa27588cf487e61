import Checkpoints
import Foundation

// A model's weights in a file by themselves, under PyTorch's names and in PyTorch's layouts.

extension Module {
    /// Writes all parameters and running statistics as safetensors.
    public func save(to path: String) throws {
        var arrays: [NamedArray] = []
        for state in namedStates {
            arrays.append(
                NamedArray(
                    name: state.name, shape: state.value.shape.dimensions,
                    floats: UnsafeBufferPointer(
                        start: UnsafePointer(state.value.pointer), count: state.value.count)))
            // PyTorch's batch norm expects `num_batches_tracked`.
            if state.name.hasSuffix("running_mean") {
                arrays.append(
                    NamedArray(name: state.name.dropLast(12) + batchCountName, integer: 0))
            }
        }
        try AtomicFile.write(
            try SafetensorsWriter.bytes(
                of: SafetensorsFile(arrays: arrays, metadata: ["format": "pt"])), to: path)
    }

    /// Loads a file that `save`, a run or PyTorch has written.
    /// - Throws: if a tensor is missing, left over or has another shape; the module is unchanged
    /// then.
    public func load(from path: String) throws {
        try load(try SafetensorsReader.read(path: path), from: path)
    }

    func load(_ file: SafetensorsFile, from path: String) throws {
        let arrays = Dictionary(file.arrays.map { ($0.name, $0) }, uniquingKeysWith: { $1 })
        let states = namedStates
        for state in states {
            guard let array = arrays[state.name] else {
                throw StateMismatch(
                    file: path, problem: "has no tensor \"\(state.name)\", which the model needs")
            }
            let type = array.elementType
            guard array.shape == state.value.shape.dimensions, type == .float32 else {
                throw StateMismatch(
                    file: path,
                    problem: "tensor \"\(state.name)\" is \(Shape(array.shape)) of"
                        + " \(type.rawValue), the model needs \(state.value.shape) of F32")
            }
        }
        let known = Set(states.map(\.name))
        if let extra = arrays.keys.sorted().first(where: {
            !known.contains($0) && !$0.hasSuffix(batchCountName)
        }) {
            throw StateMismatch(
                file: path, problem: "has a tensor \"\(extra)\" that the model does not have")
        }
        for state in states {
            _ = arrays[state.name]?.copyFloats(
                to: UnsafeMutableBufferPointer(
                    start: state.value.pointer, count: state.value.count))
        }
    }
}

private let batchCountName = "num_batches_tracked"

extension NamedState {
    var name: String {
        switch self {
        case .parameter(let name, _), .statistic(let name, _): name
        }
    }

    var value: Tensor {
        switch self {
        case .parameter(_, let parameter): parameter.value
        case .statistic(_, let statistic): statistic.value
        }
    }
}

extension Layer {
    /// Applies the trained model: no gradients, no dropout.
    public func callAsFunction(_ inputs: Tensor) -> Tensor {
        self(Tape(.evaluation).constant(inputs)).value
    }
}
