import Tensors

/// A tensor that is equal on all workers, under the name that it has in checkpoints.
package struct NamedTensor {
    package let name: String
    package let tensor: Tensor

    package init(name: String, _ tensor: Tensor) {
        self.name = name
        self.tensor = tensor
    }
}
