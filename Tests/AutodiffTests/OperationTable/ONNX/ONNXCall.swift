import Autodiff
import Tensors

/// The inputs and attributes of one node, in the types that our operations take.
struct ONNXCall {
    let node: ONNXNode
    let inputs: [ONNXTensor?]
    let tape: Tape

    func has(_ place: Int) -> Bool { place < inputs.count && inputs[place] != nil }

    func tensor(_ place: Int) throws -> ONNXTensor {
        guard place < inputs.count, let tensor = inputs[place] else {
            throw ONNXExclusion("\(node.operation) without input \(place)")
        }
        return tensor
    }

    /// An input as a variable. Integers beyond 2^24 would be rounded.
    func x(_ place: Int = 0) throws -> Variable { variable(try exact(try tensor(place))) }

    func xs() throws -> [Variable] { try inputs.indices.map { try x($0) } }

    private func exact(_ tensor: ONNXTensor) throws -> ONNXTensor {
        if !tensor.element.isFloating, tensor.values.contains(where: { abs($0) > 0x1p24 }) {
            throw ONNXExclusion("integers beyond 2^24: all our arithmetic is Float32")
        }
        return tensor
    }

    func variable(_ tensor: ONNXTensor) -> Variable {
        tape.constant(Tensor(tensor.values.map { Float($0) }, Shape(tensor.shape)))
    }

    func parameter(_ place: Int) throws -> Parameter { Parameter(try x(place).value) }

    func integers(_ place: Int) throws -> [Int] { try tensor(place).values.map { Int($0) } }

    func number(_ place: Int) throws -> Double {
        guard let value = try tensor(place).values.first else {
            throw ONNXExclusion("\(node.operation): input \(place) is empty")
        }
        return value
    }

    /// The element type of the first input.
    func element() throws -> ONNXTensor.Element { try tensor(0).element }

    /// A result in the type of the first input, or in another.
    func result(_ y: Variable, _ element: ONNXTensor.Element? = nil) throws -> ONNXTensor {
        try result(y.value, element)
    }

    func result(_ y: Tensor, _ element: ONNXTensor.Element? = nil) throws -> ONNXTensor {
        let tensor = ONNXTensor(
            y.shape.dimensions, .float, y.scalars.map(Double.init))
        return tensor.stored(as: try element ?? self.element())
    }

    func result(_ places: Indices) -> ONNXTensor {
        ONNXTensor(places.shape.dimensions, .int64, places.values.map(Double.init))
    }

    /// An axis attribute, counted from the front.
    func axis(_ value: Int, rank: Int) throws -> Int {
        guard value >= -rank, value < Swift.max(rank, 1) else {
            throw ONNXExclusion("axis \(value)")
        }
        return value < 0 ? value + rank : value
    }

    /// Indices into an axis of this size; ONNX counts negative ones from its end.
    func indices(_ place: Int, size: Int) throws -> Indices {
        let tensor = try tensor(place)
        return Indices(
            tensor.values.map { Int32($0 < 0 ? $0 + Double(size) : $0) }, Shape(tensor.shape))
    }
}

/// `operation` over another axis than the last.
func alongLast(
    _ x: Variable, _ axis: Int, _ operation: (Variable) -> Variable
) -> Variable {
    let last = x.shape.rank - 1
    if axis == last { return operation(x) }
    return transpose(operation(transpose(x, axis, last)), axis, last)
}
