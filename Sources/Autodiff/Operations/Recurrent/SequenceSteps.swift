import CKernels
import Kernels
import Tensors

// Helpers of recurrent layers: the order of the leading dimensions, padded and reversed steps.

/// [A, B, ...] -> [B, A, ...]: batch first to steps first and back.
public func swapLeadingDimensions(_ x: Variable) -> Variable {
    require(x.shape.rank >= 2, "swapLeadingDimensions: \(x.shape) has no two dimensions")
    let rest = Array(x.shape.dimensions.dropFirst(2))
    let (a, b) = (x.shape[0], x.shape[1])
    let width = rest.reduce(1, *)
    let y = Tensor(uninitialized: Shape([b, a] + rest))
    rondo_swap_leading(y.pointer, x.value.pointer, a, b, width)
    var result = x.tape.record(y, from: [x]) { upstream in
        let dx = Tensor(uninitialized: x.shape)
        rondo_swap_leading(dx.pointer, upstream.pointer, b, a, width)
        x.tape.addGradient(dx, to: x)
    }
    result.lookup = x.lookup?.withSwappedDimensions(a, b)
    return result
}

/// Writes zeros where a sequence has ended; x: [T, N, C], lengths: N.
public func zeroPaddedSteps(_ x: Variable, lengths: [Int32]) -> Variable {
    require(
        x.shape.rank == 3 && lengths.count == x.shape[1],
        "zeroPaddedSteps: \(lengths.count) lengths for sequences \(x.shape)")
    let y = x.value.copied()
    func clear(_ tensor: Tensor) {
        clearPaddedSteps(
            tensor.pointer, lengths: lengths, steps: x.shape[0], rows: x.shape[1],
            width: x.shape[2])
    }
    clear(y)
    return x.tape.record(y, from: [x]) { upstream in
        let dx = upstream.isUnique() ? upstream : upstream.copied()
        clear(dx)
        x.tape.addGradient(dx, to: x)
    }
}

/// Reverses each sequence; zeros follow if it is shorter than T. x: [T, N, C].
///
/// - Parameter lengths: the steps of each sequence, N; nil where all have T. The function is its
///   own inverse.
public func reversedSteps(_ x: Variable, lengths: [Int32]? = nil) -> Variable {
    require(
        x.shape.rank == 3
            && (lengths.map { lengths in
                lengths.count == x.shape[1]
                    && lengths.allSatisfy { $0 >= 0 && Int($0) <= x.shape[0] }
            } ?? true), "reversedSteps: lengths \(lengths ?? []) for sequences \(x.shape)")
    func reversed(_ tensor: Tensor) -> Tensor {
        let (steps, rows, width) = (x.shape[0], x.shape[1], x.shape[2])
        let result = Tensor(uninitialized: x.shape)
        for step in 0..<steps {
            for row in 0..<rows {
                let target = result.pointer + (step * rows + row) * width
                let source = (lengths.map { Int($0[row]) } ?? steps) - 1 - step
                if source >= 0 {
                    target.update(
                        from: tensor.pointer + (source * rows + row) * width, count: width)
                } else {
                    target.update(repeating: 0, count: width)
                }
            }
        }
        return result
    }
    // Each step gets its gradient from the place that it went to; steps beyond the end get none.
    return x.tape.record(reversed(x.value), from: [x]) { upstream in
        x.tape.addGradient(reversed(upstream), to: x)
    }
}

func clearPaddedSteps(
    _ values: UnsafeMutablePointer<Float>, lengths: [Int32]?, steps: Int, rows: Int, width: Int
) {
    guard let lengths else { return }
    for step in 0..<steps {
        for row in 0..<rows where step >= Int(lengths[row]) {
            (values + (step * rows + row) * width).update(repeating: 0, count: width)
        }
    }
}
