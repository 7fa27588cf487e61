import Checkpoints
import Foundation
import NeuralNetworks
import Tensors

// The replicated state as files: weights under PyTorch's `state_dict` names, optimizer state under
// "<parameter>.<PyTorch's state name>", the task's state under its own names.
//
// The file of weights holds what is to be used. Where a run averages, these are the averages, in a
// checkpoint as at the end; the weights of the last step, from which training goes on, are then in
// the optimizer's file as "<parameter>.value".

extension TrainedModel {
    package static let modelFileName = "model.safetensors"
    package static let optimizerFileName = "optimizer.safetensors"
    /// Only where the task has state.
    package static let stateFileName = "state.safetensors"

    private static let lastValueName = "value"
    private static let workedStepName = "worked_step"

    /// All flat buffers that have to be equal on the workers.
    package var replicatedState: [Tensor] {
        [store.values, store.statistics] + updates.flatMap(\.optimizer.states)
            + (average.map { [$0.average] } ?? []) + task.state.map(\.tensor)
    }

    /// Weights and running statistics, and PyTorch's `num_batches_tracked` of each batch norm.
    package var modelArrays: [NamedArray] { asKept { network.arrays(batchCount: step) } }

    private var stateArrays: [NamedArray] {
        task.state.map { NamedArray(name: $0.name, $0.tensor) }
    }

    /// SHA-256 of the tensor data in name order: `model_sha256`.
    package var weightsDigest: String { ModelDigest.hexadecimal(of: modelArrays) }

    /// The same of all that workers compare when a generation begins: with the task's state.
    package var stateDigest: String {
        task.state.isEmpty
            ? weightsDigest : ModelDigest.hexadecimal(of: modelArrays + stateArrays)
    }

    private var optimizerArrays: [NamedArray] {
        optimizerStates.flatMap { state in
            state.slots.map { slot in
                NamedArray(
                    name: "\(slot.name).\(state.name)",
                    state.flat.slice(from: slot.offset, slot.shape))
            }
        }
    }

    /// What the optimizer's file holds of each parameter.
    private var optimizerStates: [(name: String, flat: Tensor, slots: [StateSlot])] {
        let states = updates.flatMap { update in
            let slots = store.updatedSlots.filter { slot in
                !update.otherRanges.contains { $0.contains(slot.offset) }
            }
            return zip(type(of: update.optimizer).stateNames, update.optimizer.states).map {
                (name: $0, flat: $1, slots: slots)
            }
        }
        guard average != nil else { return states }
        return states + [(Self.lastValueName, store.values, store.parameterSlots)]
    }

    /// The files of a checkpoint.
    package func files() throws(CheckpointError) -> [(name: String, bytes: Data)] {
        var metadata = ["format": "pt", "step": String(step)]
        if average != nil { metadata["weights"] = "moving average" }
        metadata.merge(task.metadata) { $1 }
        var files = [
            (Self.modelFileName, modelArrays, metadata),
            (Self.optimizerFileName, optimizerArrays, ["step": String(step)]),
        ]
        if !task.state.isEmpty || workedStep != nil {
            var metadata = ["step": String(step)]
            metadata[Self.workedStepName] = workedStep.map { String($0) }
            files.append((Self.stateFileName, stateArrays, metadata))
        }
        var encoded: [(name: String, bytes: Data)] = []
        for (name, arrays, metadata) in files {
            let file = SafetensorsFile(arrays: arrays, metadata: metadata)
            encoded.append((name, try SafetensorsWriter.bytes(of: file)))
        }
        return encoded
    }

    /// Takes over the state after `step` steps from a checkpoint's files.
    /// - Throws: `StateMismatch` or `CheckpointError`; the state may be torn then.
    package func load(_ files: [(name: String, bytes: Data)], step: Int) throws {
        func file(_ name: String) throws -> SafetensorsFile {
            guard let bytes = files.first(where: { $0.name == name })?.bytes else {
                throw StateMismatch(file: name, problem: "is missing in the checkpoint")
            }
            return try SafetensorsReader.read(bytes, name: name)
        }
        try network.load(try file(Self.modelFileName), fileName: Self.modelFileName)
        average?.average.pointer.update(from: store.values.pointer, count: store.values.count)
        try loadOptimizers(try file(Self.optimizerFileName))
        if !task.state.isEmpty || files.contains(where: { $0.name == Self.stateFileName }) {
            try loadTaskState(try file(Self.stateFileName))
        }
        self.step = step
    }

    private func loadOptimizers(_ file: SafetensorsFile) throws(StateMismatch) {
        let arrays = Dictionary(file.arrays.map { ($0.name, $0) }, uniquingKeysWith: { $1 })
        for state in optimizerStates {
            for slot in state.slots {
                let name = "\(slot.name).\(state.name)"
                let tensor = state.flat.slice(from: slot.offset, slot.shape)
                try tensor.check(arrays[name], name: name, fileName: Self.optimizerFileName)
                _ = arrays[name]?.copyFloats(to: tensor.floats)
            }
        }
    }

    private func loadTaskState(_ file: SafetensorsFile) throws(StateMismatch) {
        for state in task.state {
            let array = file.arrays.first { $0.name == state.name }
            try state.tensor.check(array, name: state.name, fileName: Self.stateFileName)
            _ = array?.copyFloats(to: state.tensor.floats)
        }
        workedStep = file.metadata[Self.workedStepName].flatMap { Int($0) }
    }
}
