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

    /// Takes over what `save`, a run or PyTorch has written.
    /// - Throws: when a tensor is missing, left over, or of another shape; nothing has changed then.
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
