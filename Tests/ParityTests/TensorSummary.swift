// What is stored of a tensor in place of its elements, and how a tensor is held against it.

struct TensorSummary: Decodable, Sendable {
    let count: Int
    /// L2.
    let norm: Double
    /// Sums of the elements; in sum p, element i counts negatively where bit p of the formula's
    /// value i of "signs" is set.
    let projections: [Double]
    /// Elements floor(j * count / n), or all of them when there are fewer than n.
    let elements: [Double]

    private static let signs = ReferenceFormula.Stream("signs")

    /// Compares a tensor, in PyTorch's layout, with a tolerance for the norm of the error.
    ///
    /// The norm of the error is estimated by the root mean square of the eight projections'
    /// differences (a random-sign sum of e has variance |e|^2). Norm and elements are compared too:
    /// neither can differ by more than the error's norm.
    /// - Returns: what is wrong, or nil. Values that are not finite are always wrong.
    func discrepancy(of values: [Double], tolerance: Double) -> String? {
        guard values.count == count else {
            return "\(values.count) elements, PyTorch has \(count)"
        }
        let valueNorm = values.reduce(0) { $0 + $1 * $1 }.squareRoot()
        let error = estimatedError(of: values)
        guard error <= tolerance else {
            return "off by about \(relative(error)) of its norm \(norm),"
                + " allowed are \(relative(tolerance)); the norm here is \(valueNorm)"
        }
        guard abs(valueNorm - norm) <= tolerance else {
            return "norm \(valueNorm), PyTorch has \(norm)"
        }
        for (position, expected) in elements.enumerated() {
            let index = position * count / elements.count
            guard abs(values[index] - expected) <= tolerance else {
                return "element \(index) is \(values[index]), PyTorch has \(expected)"
            }
        }
        return nil
    }

    /// The same with a tolerance relative to the reference's norm.
    func discrepancy(of values: [Double], relativeTolerance: Double) -> String? {
        discrepancy(of: values, tolerance: relativeTolerance * norm)
    }

    /// The estimated norm of the difference between a tensor and the stored one.
    func estimatedError(of values: [Double]) -> Double {
        var sums = [Double](repeating: 0, count: projections.count)
        for (index, value) in values.enumerated() {
            var pattern = Self.signs.bits(index)
            for projection in sums.indices {
                sums[projection] += pattern & 1 == 1 ? -value : value
                pattern >>= 1
            }
        }
        let squares = zip(sums, projections).reduce(0) { $0 + ($1.0 - $1.1) * ($1.0 - $1.1) }
        return (squares / Double(projections.count)).squareRoot()
    }

    private func relative(_ error: Double) -> Double { norm == 0 ? error : error / norm }
}
