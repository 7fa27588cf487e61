import Kernels
import Tensors

/// What this processor's matrix products can do, to measure a workload against.
enum ReferenceProduct {
    private static let size = 768

    /// GFLOP/s of the best of ten products of 768 x 768 matrices by OpenBLAS, on this thread.
    static func measured() -> Double {
        let matrices = Tensor(repeating: 0.5, [3, size * size])
        let a = matrices.pointer
        var best = Double.infinity
        for _ in 0..<10 {
            let start = ContinuousClock.now
            matrixProduct(
                a, a + size * size, into: a + 2 * size * size, m: size, n: size, k: size)
            best = min(best, (ContinuousClock.now - start) / .seconds(1))
        }
        return 2 * Double(size * size * size) / best / 1e9
    }
}
