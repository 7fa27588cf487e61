import Tensors

/// A dense array of Double in which the references compute, element by element and without haste.
struct DoubleArray {
    let shape: [Int]
    var values: [Double]

    init(_ shape: [Int], values: [Double]) {
        self.shape = shape
        self.values = values
    }

    init(_ tensor: Tensor) {
        self.init(tensor.shape.dimensions, values: tensor.scalars.map(Double.init))
    }

    /// The array whose element at an index is `element(index)`.
    init(_ shape: [Int], _ element: ([Int]) -> Double) {
        self.init(shape, values: Self.indices(shape).map(element))
    }

    var count: Int { values.count }

    /// All indices of a shape in row-major order.
    static func indices(_ shape: [Int]) -> [[Int]] {
        shape.reduce([[]]) { lists, size in
            lists.flatMap { list in (0..<size).map { list + [$0] } }
        }
    }

    private func place(_ index: [Int]) -> Int {
        zip(shape, index).reduce(0) { $0 * $1.0 + $1.1 }
    }

    subscript(_ index: [Int]) -> Double {
        get { values[place(index)] }
        set { values[place(index)] = newValue }
    }

    /// The element that an operand repeated by NumPy's rules shows at an index of the result.
    func repeated(_ index: [Int]) -> Double {
        let own = index.suffix(shape.count)
        return self[zip(shape, own).map { $0 == 1 ? 0 : $1 }]
    }

    func map(_ function: (Double) -> Double) -> DoubleArray {
        DoubleArray(shape, values: values.map(function))
    }

    static func broadcastShape(_ a: [Int], _ b: [Int]) -> [Int] {
        let rank = max(a.count, b.count)
        let left = [Int](repeating: 1, count: rank - a.count) + a
        let right = [Int](repeating: 1, count: rank - b.count) + b
        return zip(left, right).map { $0 == 1 ? $1 : $0 }
    }

    static func combine(
        _ a: DoubleArray, _ b: DoubleArray, _ function: (Double, Double) -> Double
    ) -> DoubleArray {
        DoubleArray(broadcastShape(a.shape, b.shape)) { function(a.repeated($0), b.repeated($0)) }
    }

    /// `function` of the list of elements along the axes.
    func reduce(_ axes: [Int]?, keep: Bool, _ function: ([Double]) -> Double) -> DoubleArray {
        let axes = (axes ?? Array(shape.indices)).map { $0 < 0 ? $0 + shape.count : $0 }
        let kept = shape.indices.map { axes.contains($0) ? 1 : shape[$0] }
        let reducedShape = shape.indices.map { axes.contains($0) ? shape[$0] : 1 }
        let full = DoubleArray(kept) { index in
            function(Self.indices(reducedShape).map { self[zip(index, $0).map { $0 + $1 }] })
        }
        let final = shape.indices.compactMap { axes.contains($0) ? (keep ? 1 : nil) : shape[$0] }
        return DoubleArray(final, values: full.values)
    }
}
