import Tensors

// Samples that a program has in memory. They are gathered from there when a step needs them: there
// is nothing to read or to prepare ahead.

/// Inputs with their targets.
public struct Samples: Sendable {
    /// What a network learns to make of the inputs.
    public enum Targets: Sendable {
        /// A class for each sample, or for each of its steps.
        case classes([Int32], count: Int)
        /// Real values: [N, ...].
        case values(Tensor)
    }

    /// [N, ...]: [N, features], [N, steps, features] or [N, height, width, channels].
    public let inputs: Tensor
    /// One for each input.
    public let targets: Targets

    /// To be classified; `count` is the number of classes.
    ///
    /// - Precondition: a class in 0 ..< count for each input.
    public init(_ inputs: Tensor, classes: [Int], of count: Int) {
        let samples = Self.checkedCount(inputs)
        precondition(
            samples > 0 && classes.count % samples == 0 && !classes.isEmpty,
            "\(classes.count) classes for \(samples) samples")
        precondition(classes.allSatisfy { 0..<count ~= $0 }, "a class is not below \(count)")
        self.inputs = inputs
        targets = .classes(classes.map { Int32($0) }, count: count)
    }

    /// To be mapped to real values.
    ///
    /// - Precondition: as many values' rows as inputs.
    public init(_ inputs: Tensor, values: Tensor) {
        let samples = Self.checkedCount(inputs)
        precondition(
            values.shape.dimensions.first == samples && samples > 0,
            "values \(values.shape) for \(samples) samples")
        self.inputs = inputs
        targets = .values(values)
    }

    private static func checkedCount(_ inputs: Tensor) -> Int {
        let sizes = inputs.shape.dimensions
        precondition(
            (2...4).contains(sizes.count),
            "samples are [N, features], [N, steps, features] or [N, height, width, channels], not"
                + " \(inputs.shape)")
        return sizes[0]
    }

    /// The number of samples.
    public var count: Int { inputs.shape.dimensions[0] }

    /// Some of the samples, in that order.
    public func batch(_ indices: [Int]) -> Batch {
        switch targets {
        case .classes(let classes, _):
            let perSample = classes.count / count
            return Batch(
                inputs: Self.rows(indices, of: inputs),
                classes: indices.flatMap { classes[$0 * perSample..<($0 + 1) * perSample] },
                values: nil)
        case .values(let values):
            return Batch(
                inputs: Self.rows(indices, of: inputs), classes: [],
                values: Self.rows(indices, of: values))
        }
    }

    private static func rows(_ indices: [Int], of tensor: Tensor) -> Tensor {
        let sizes = tensor.shape.dimensions
        let result = Tensor(uninitialized: Shape([indices.count] + sizes.dropFirst()))
        let rowCount = tensor.count / sizes[0]
        for (row, index) in indices.enumerated() {
            (result.pointer + row * rowCount).update(
                from: tensor.pointer + index * rowCount, count: rowCount)
        }
        return result
    }
}

/// Samples of one forward pass.
public struct Batch {
    /// [n, ...]
    public let inputs: Tensor
    /// One per sample, or per step of a sample; empty where the targets are values.
    public let classes: [Int32]
    /// [n, ...]; nil where the targets are classes.
    public let values: Tensor?

    /// The number of samples.
    public var count: Int { inputs.shape.dimensions[0] }
}
