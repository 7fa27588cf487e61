import CKernels
import Kernels
import Tensors

/// [N, H, W, C] -> [N, C H W], in PyTorch's order of features (channel first), so that the weight
/// of a following linear layer passes to and from PyTorch unchanged. Other ranks keep their memory
/// order.
public func flatten(_ x: Variable) -> Variable {
    require(x.shape.rank > 0, "flatten: a scalar")
    let images = x.shape[0]
    let flat: Shape = [images, x.count / max(images, 1)]
    guard x.shape.rank == 4, x.shape[3] > 1, x.shape[1] * x.shape[2] > 1 else {
        return x.tape.record(x.value.reshaped(flat), from: [x]) { upstream in
            x.tape.addGradient(upstream, to: x)
        }
    }
    let positions = x.shape[1] * x.shape[2]
    let channels = x.shape[3]
    let y = Tensor(uninitialized: flat)
    for image in 0..<images {
        let offset = image * positions * channels
        rondo_transpose(y.pointer + offset, x.value.pointer + offset, positions, channels)
    }
    return x.tape.record(y, from: [x]) { upstream in
        let dx = Tensor(uninitialized: x.shape)
        for image in 0..<images {
            let offset = image * positions * channels
            rondo_transpose(dx.pointer + offset, upstream.pointer + offset, channels, positions)
        }
        x.tape.addGradient(dx, to: x)
    }
}
