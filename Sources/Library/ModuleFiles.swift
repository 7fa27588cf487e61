import Checkpoints
import Foundation
import Learning

// A model's weights in a file by themselves, under PyTorch's names and in PyTorch's layouts.

extension Module {
    /// Writes all parameters and running statistics as safetensors.
    public func save(to path: String) throws {
        let file = SafetensorsFile(arrays: arrays(batchCount: 0), metadata: ["format": "pt"])
        try AtomicFile.write(try SafetensorsWriter.bytes(of: file), to: path)
    }

    /// Loads a file that `save`, a run or PyTorch has written.
    /// - Throws: if a tensor is missing, left over or has another shape; the module is unchanged
    /// then.
    public func load(from path: String) throws {
        try load(try SafetensorsReader.read(path: path), fileName: path)
    }
}

extension Layer {
    /// Applies the trained model: no gradients, no dropout.
    public func callAsFunction(_ inputs: Tensor) -> Tensor {
        self(Tape(.evaluation).constant(inputs)).value
    }
}
