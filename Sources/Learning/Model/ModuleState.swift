import Checkpoints
import ExitCodes
import NeuralNetworks
import Tensors

// A network's weights and running statistics as named arrays, under PyTorch's names and in PyTorch's layouts.

/// A state that does not belong to this model.
package struct StateMismatch: ExitCoded, CustomStringConvertible {
    package let file: String
    package let problem: String

    package init(file: String, problem: String) {
        self.file = file
        self.problem = problem
    }

    package var description: String { "\(file): \(problem)" }
    package var exitCode: ExitCode { .data }
}

extension Module {
    /// Parameters, then running statistics. PyTorch's batch norm expects `num_batches_tracked` beside its statistics.
    package func arrays(batchCount: Int) -> [NamedArray] {
        var parameters: [NamedArray] = []
        var statistics: [NamedArray] = []
        for state in namedStates {
            switch state {
            case .parameter(let name, let parameter):
                parameters.append(NamedArray(name: name, parameter.value))
            case .statistic(let name, let statistic):
                statistics.append(NamedArray(name: name, statistic.value))
                if let layer = name.layerOfRunningMean {
                    statistics.append(
                        NamedArray(name: layer + batchCountName, integer: Int64(batchCount)))
                }
            }
        }
        return parameters + statistics
    }

    /// Takes over what `arrays` gave or PyTorch has written.
    /// - Throws: `StateMismatch` when a tensor is missing, left over, or of another shape; nothing has changed then.
    package func load(
        _ file: SafetensorsFile, fileName: String
    ) throws(StateMismatch) {
        let arrays = Dictionary(file.arrays.map { ($0.name, $0) }, uniquingKeysWith: { $1 })
        let states = namedStates
        for state in states {
            try state.check(arrays[state.name], fileName: fileName)
        }
        let known = Set(states.map(\.name))
        if let extra = file.arrays.first(where: {
            !known.contains($0.name) && !$0.name.hasSuffix(batchCountName)
        }) {
            throw StateMismatch(
                file: fileName,
                problem: "has a tensor \"\(extra.name)\" that the configured model does not have")
        }
        for state in states {
            _ = arrays[state.name]?.copyFloats(to: state.value.floats)
        }
    }
}

private let batchCountName = "num_batches_tracked"

extension String {
    /// "norm1." for "norm1.running_mean", else nil.
    fileprivate var layerOfRunningMean: String? {
        let suffix = "running_mean"
        return hasSuffix(suffix) ? String(dropLast(suffix.count)) : nil
    }
}

extension NamedState {
    fileprivate var name: String {
        switch self {
        case .parameter(let name, _), .statistic(let name, _): name
        }
    }

    fileprivate var value: Tensor {
        switch self {
        case .parameter(_, let parameter): parameter.value
        case .statistic(_, let statistic): statistic.value
        }
    }

    fileprivate func check(
        _ array: NamedArray?, fileName: String
    ) throws(StateMismatch) {
        try value.check(array, name: name, fileName: fileName)
    }
}

extension Tensor {
    /// All elements.
    var floats: UnsafeMutableBufferPointer<Float> {
        UnsafeMutableBufferPointer(start: pointer, count: count)
    }

    /// Whether an array of a file can be taken for this tensor.
    func check(
        _ array: NamedArray?, name: String, fileName: String
    ) throws(StateMismatch) {
        guard let array else {
            throw StateMismatch(
                file: fileName, problem: "has no tensor \"\(name)\", which the model needs")
        }
        guard array.shape == shape.dimensions else {
            throw StateMismatch(
                file: fileName,
                problem: "tensor \"\(name)\" has shape \(Shape(array.shape)), the model"
                    + " needs \(shape)")
        }
        guard array.elementType == .float32 else {
            throw StateMismatch(
                file: fileName,
                problem: "tensor \"\(name)\" is \(array.elementType.rawValue), the model"
                    + " needs F32")
        }
    }
}

extension NamedArray {
    /// A copy of a tensor's elements.
    package init(name: String, _ tensor: Tensor) {
        self.init(
            name: name, shape: tensor.shape.dimensions,
            floats: UnsafeBufferPointer(tensor.floats))
    }
}
