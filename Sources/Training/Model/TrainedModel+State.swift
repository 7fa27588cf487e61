import Checkpoints
import ExitCodes
import Foundation
import NeuralNetworks
import Tensors

// The replicated state as named arrays: weights under PyTorch's `state_dict` names, optimizer state under
// "<parameter>.<PyTorch's state name>".
//
// The file of weights holds what is to be used. Where a run averages, these are the averages, in a
// checkpoint as at the end; the weights of the last step, from which training goes on, are then in
// the optimizer's file as "<parameter>.value".

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

extension TrainedModel {
    package static let modelFileName = "model.safetensors"
    package static let optimizerFileName = "optimizer.safetensors"

    private static let lastValueName = "value"

    /// The weights that are kept as the model.
    private var keptValues: Tensor { average?.average ?? store.values }

    /// All flat buffers that have to be equal on the workers.
    package var replicatedState: [Tensor] {
        [store.values, store.statistics] + optimizer.states + (average.map { [$0.average] } ?? [])
    }

    /// Weights and running statistics, and PyTorch's `num_batches_tracked` of each batch norm.
    package var modelArrays: [NamedArray] {
        var arrays = store.parameterSlots.map { array($0.name, $0, in: keptValues) }
        for slot in store.statisticSlots {
            arrays.append(array(slot.name, slot, in: store.statistics))
            if let layer = slot.layerOfRunningMean {
                arrays.append(
                    NamedArray(name: layer + "num_batches_tracked", integer: Int64(step)))
            }
        }
        return arrays
    }

    /// SHA-256 of the tensor data in name order: `model_sha256`.
    package var weightsDigest: String { ModelDigest.hexadecimal(of: modelArrays) }

    private var optimizerArrays: [NamedArray] {
        optimizerStates.flatMap { stateName, state in
            store.parameterSlots.map { array("\($0.name).\(stateName)", $0, in: state) }
        }
    }

    /// What the optimizer's file holds of each parameter.
    private var optimizerStates: [(name: String, flat: Tensor)] {
        let states = Array(zip(type(of: optimizer).stateNames, optimizer.states))
        return states + (average == nil ? [] : [(Self.lastValueName, store.values)])
    }

    private func array(_ name: String, _ slot: StateSlot, in flat: Tensor) -> NamedArray {
        let start = UnsafePointer(flat.pointer + slot.offset)
        return NamedArray(
            name: name, shape: slot.shape.dimensions,
            floats: UnsafeBufferPointer(start: start, count: slot.shape.count))
    }

    /// The files of a checkpoint.
    package func files() throws(CheckpointError) -> [(name: String, bytes: Data)] {
        var metadata = ["format": "pt", "step": String(step)]
        if average != nil { metadata["weights"] = "moving average" }
        if let ownShape {
            metadata["input"] = "\(ownShape.input)"
            metadata["outputs"] = "\(ownShape.outputs)"
        }
        return [
            (
                Self.modelFileName,
                try SafetensorsWriter.bytes(
                    of: SafetensorsFile(arrays: modelArrays, metadata: metadata))
            ),
            (
                Self.optimizerFileName,
                try SafetensorsWriter.bytes(
                    of: SafetensorsFile(arrays: optimizerArrays, metadata: ["step": String(step)]))
            ),
        ]
    }

    /// Takes over weights, statistics and, where given, optimizer state after `step` steps.
    package func load(model: SafetensorsFile, optimizer file: SafetensorsFile?, step: Int)
        throws(StateMismatch)
    {
        try load(store.parameterSlots, from: model, into: keptValues, Self.modelFileName)
        if let average {
            store.values.pointer.update(from: average.average.pointer, count: store.values.count)
        }
        try load(store.statisticSlots, from: model, into: store.statistics, Self.modelFileName)
        let known = Set(modelArrays.map(\.name))
        if let extra = model.arrays.first(where: { !known.contains($0.name) }) {
            throw StateMismatch(
                file: Self.modelFileName,
                problem: "has a tensor \"\(extra.name)\" that the configured model does not have")
        }
        if let file {
            for (stateName, state) in optimizerStates {
                let slots = store.parameterSlots.map {
                    StateSlot(name: "\($0.name).\(stateName)", shape: $0.shape, offset: $0.offset)
                }
                try load(slots, from: file, into: state, Self.optimizerFileName)
            }
        }
        self.step = step
    }

    private func load(
        _ slots: [StateSlot], from file: SafetensorsFile, into flat: Tensor, _ fileName: String
    ) throws(StateMismatch) {
        let arrays = Dictionary(file.arrays.map { ($0.name, $0) }, uniquingKeysWith: { $1 })
        for slot in slots {
            guard let array = arrays[slot.name] else {
                throw StateMismatch(
                    file: fileName, problem: "has no tensor \"\(slot.name)\", which the model needs"
                )
            }
            guard array.shape == slot.shape.dimensions else {
                throw StateMismatch(
                    file: fileName,
                    problem: "tensor \"\(slot.name)\" has shape \(Shape(array.shape)), the model"
                        + " needs \(slot.shape)")
            }
            let destination = UnsafeMutableBufferPointer(
                start: flat.pointer + slot.offset, count: slot.shape.count)
            guard array.copyFloats(to: destination) else {
                throw StateMismatch(
                    file: fileName,
                    problem: "tensor \"\(slot.name)\" is \(array.elementType.rawValue), the model"
                        + " needs F32")
            }
        }
    }
}

extension StateSlot {
    /// "norm1." for "norm1.running_mean", else nil.
    fileprivate var layerOfRunningMean: String? {
        let suffix = "running_mean"
        return name.hasSuffix(suffix) ? String(name.dropLast(suffix.count)) : nil
    }
}
