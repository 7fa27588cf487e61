import Glibc
import Kernels

/// A dense row-major array of Float32: a shape over a slice of pooled memory.
///
/// Copies share memory. A tensor is written only while no other shares its memory (`isUnique`),
/// or if it is a documented flat buffer; otherwise operations make new tensors.
/// Images are N x H x W x C.
public struct Tensor: @unchecked Sendable {
    /// The sizes of the dimensions.
    public let shape: Shape
    private var storage: Storage
    private let offset: Int

    /// Memory of that shape with unspecified contents.
    public init(uninitialized shape: Shape) {
        self.shape = shape
        storage = Storage(capacity: shape.count)
        offset = 0
    }

    /// A tensor of zeros.
    public init(zeros shape: Shape) {
        self.init(uninitialized: shape)
        memset(pointer, 0, count * MemoryLayout<Float>.stride)
    }

    /// A tensor with the same value everywhere.
    public init(repeating value: Float, _ shape: Shape) {
        self.init(uninitialized: shape)
        pointer.update(repeating: value, count: count)
    }

    /// - Precondition: as many scalars as the shape holds.
    public init(_ scalars: [Float], _ shape: Shape) {
        require(
            scalars.count == shape.count, "\(scalars.count) scalars for shape \(shape)")
        self.init(uninitialized: shape)
        scalars.withUnsafeBufferPointer { source in
            if let base = source.baseAddress { pointer.update(from: base, count: count) }
        }
    }

    private init(storage: Storage, offset: Int, shape: Shape) {
        self.storage = storage
        self.offset = offset
        self.shape = shape
    }

    /// The number of elements.
    public var count: Int { shape.count }

    /// The first element. Valid as long as a tensor that shares the memory lives.
    public var pointer: UnsafeMutablePointer<Float> { storage.base + offset }

    /// Whether no other tensor shows this memory, so that it may be written in place.
    public mutating func isUnique() -> Bool { isKnownUniquelyReferenced(&storage) }

    /// The elements, copied.
    public var scalars: [Float] { Array(UnsafeBufferPointer(start: pointer, count: count)) }

    /// The same memory under another shape.
    /// - Precondition: the same number of elements.
    public func reshaped(_ shape: Shape) -> Tensor {
        require(shape.count == count, "\(self.shape) reshaped to \(shape)")
        return Tensor(storage: storage, offset: offset, shape: shape)
    }

    /// `shape.count` elements from `start` on, sharing the memory.
    public func slice(from start: Int, _ shape: Shape) -> Tensor {
        require(
            start >= 0 && start + shape.count <= count,
            "slice \(start)..<\(start + shape.count) of \(count) elements")
        return Tensor(storage: storage, offset: offset + start, shape: shape)
    }

    /// A copy in memory of its own.
    public func copied() -> Tensor {
        let copy = Tensor(uninitialized: shape)
        copy.pointer.update(from: pointer, count: count)
        return copy
    }
}
