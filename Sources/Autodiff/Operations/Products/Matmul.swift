import Kernels
import Tensors

// Matrix products over batches. Every product of two matrices is one call of BLAS; where the right
// operand is one matrix for the whole batch, the batch is one tall product.

/// op(a) op(b) over the last two dimensions; those before are batches and broadcast.
///
/// An operand of one dimension is a row on the left and a column on the right, whose dimension is
/// dropped from the result, as in NumPy.
public func matmul(
    _ a: Variable, transposeA: Bool = false, _ b: Variable, transposeB: Bool = false
) -> Variable {
    require(
        a.shape.rank > 0 && b.shape.rank > 0, "matmul: shapes \(a.shape) and \(b.shape)")
    if a.shape.rank == 1 {
        let y = matmul(unsqueeze(a, axis: 0), b, transposeB: transposeB)
        return squeeze(y, axes: [b.shape.rank == 1 ? -1 : -2])
    }
    if b.shape.rank == 1 {
        let y = matmul(a, transposeA: transposeA, unsqueeze(b, axis: 1))
        return squeeze(y, axes: [-1])
    }
    let plan = MatmulPlan(a.shape, transposeA, b.shape, transposeB)
    let y = Tensor(uninitialized: plan.shape)
    plan.forward(y, a.value, b.value)
    return a.tape.record(y, from: [a, b]) { upstream in
        if a.isDifferentiated {
            let gradient = Tensor(uninitialized: a.shape)
            plan.gradientOfA(gradient, upstream, b.value)
            a.tape.addGradient(gradient, to: a)
        }
        if b.isDifferentiated {
            let gradient = Tensor(uninitialized: b.shape)
            plan.gradientOfB(gradient, upstream, a.value)
            b.tape.addGradient(gradient, to: b)
        }
    }
}

/// The sum of products of two lists of equal length, a scalar.
public func dot(_ a: Variable, _ b: Variable) -> Variable {
    require(
        a.shape.rank == 1 && a.shape == b.shape, "dot: shapes \(a.shape) and \(b.shape)")
    return reshape(matmul(a, b), [])
}

/// All products of two lists: [m] and [n] give [m, n].
public func outer(_ a: Variable, _ b: Variable) -> Variable {
    require(
        a.shape.rank == 1 && b.shape.rank == 1, "outer: shapes \(a.shape) and \(b.shape)")
    return matmul(unsqueeze(a, axis: 1), unsqueeze(b, axis: 0))
}

private struct MatmulPlan: Sendable {
    let m: Int, n: Int, k: Int
    let transposeA: Bool, transposeB: Bool
    let shape: Shape
    /// Which matrix of a and of b each product of the batch reads.
    let placesA: [Int], placesB: [Int]

    init(_ a: Shape, _ transposeA: Bool, _ b: Shape, _ transposeB: Bool) {
        let rowsA = a[a.rank - 2]
        let rowsB = b[b.rank - 2]
        let inner = transposeA ? rowsA : a.columns
        require(
            inner == (transposeB ? b.columns : rowsB),
            "matmul: \(a)\(transposeA ? " transposed" : "") times \(b)"
                + (transposeB ? " transposed" : ""))
        self.transposeA = transposeA
        self.transposeB = transposeB
        let batchA = Shape(Array(a.dimensions.dropLast(2)))
        let batchB = Shape(Array(b.dimensions.dropLast(2)))
        let batch = Shape.broadcast(batchA, batchB, "matmul of \(a) and \(b)")
        let rows = transposeA ? a.columns : rowsA
        n = transposeB ? rowsB : b.columns
        k = inner
        shape = Shape(batch.dimensions + [rows, n])
        if batchB.count == 1, !transposeA, batchA == batch {
            m = batch.count * rows
            placesA = [0]
            placesB = [0]
        } else {
            m = rows
            placesA = Self.places(batchA, batch)
            placesB = Self.places(batchB, batch)
        }
    }

    private static func places(_ own: Shape, _ batch: Shape) -> [Int] {
        var places = [0]
        for (size, stride) in zip(batch.dimensions, own.strides(broadcastTo: batch)) {
            places = places.flatMap { place in (0..<size).map { place + $0 * stride } }
        }
        return places
    }

    func forward(_ y: Tensor, _ a: Tensor, _ b: Tensor) {
        for (index, (placeA, placeB)) in zip(placesA, placesB).enumerated() {
            matrixProduct(
                a.pointer + placeA * m * k, transposeA: transposeA, b.pointer + placeB * k * n,
                transposeB: transposeB, into: y.pointer + index * m * n, m: m, n: n, k: k)
        }
    }

    // y = op(a) op(b): d op(a) = dy op(b)^T, and the transpose of that where a is stored
    // transposed. The first product that a repeated matrix took part in overwrites, the others add.
    func gradientOfA(_ gradient: Tensor, _ upstream: Tensor, _ b: Tensor) {
        accumulate(gradient, placesA, m * k) { index, target, beta in
            let dy = upstream.pointer + index * m * n
            let matrix = b.pointer + placesB[index] * k * n
            if transposeA {
                matrixProduct(
                    matrix, transposeA: transposeB, dy, transposeB: true, into: target, m: k,
                    n: m, k: n, beta: beta)
            } else {
                matrixProduct(
                    dy, matrix, transposeB: !transposeB, into: target, m: m, n: k, k: n,
                    beta: beta)
            }
        }
    }

    func gradientOfB(_ gradient: Tensor, _ upstream: Tensor, _ a: Tensor) {
        accumulate(gradient, placesB, k * n) { index, target, beta in
            let dy = upstream.pointer + index * m * n
            let matrix = a.pointer + placesA[index] * m * k
            if transposeB {
                matrixProduct(
                    dy, transposeA: true, matrix, transposeB: transposeA, into: target, m: n,
                    n: k, k: m, beta: beta)
            } else {
                matrixProduct(
                    matrix, transposeA: !transposeA, dy, into: target, m: k, n: n, k: m,
                    beta: beta)
            }
        }
    }

    private func accumulate(
        _ gradient: Tensor, _ places: [Int], _ size: Int,
        _ product: (Int, UnsafeMutablePointer<Float>, Float) -> Void
    ) {
        let matrices = size == 0 ? 0 : gradient.count / size
        var written = [Bool](repeating: false, count: matrices)
        if places.isEmpty { gradient.pointer.update(repeating: 0, count: gradient.count) }
        for (index, place) in places.enumerated() where size > 0 {
            product(index, gradient.pointer + place * size, written[place] ? 1 : 0)
            written[place] = true
        }
    }
}
