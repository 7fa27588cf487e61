// A batch's memory.

/// Normalised images and labels. The memory is allocated once for `capacity` samples and reused.
public final class ImageBatch: @unchecked Sendable {
    // One owner at a time: the prefetcher's thread fills it, then hands it over.

    /// The most samples it can hold.
    public let capacity: Int
    /// Samples in it; may be 0 at the end of an epoch.
    public internal(set) var count = 0
    /// Elements per image.
    public let imageElementCount: Int
    /// [count, height, width, channels]
    public let pixels: UnsafeMutablePointer<Float>
    /// [count]
    public let labels: UnsafeMutablePointer<Int32>
    /// [count]: which samples of the data set these are.
    public let sampleIndices: UnsafeMutablePointer<UInt32>
    /// What was asked for.
    public internal(set) var request = BatchRequest.inOrder(0..<0)

    /// An empty batch with room for `capacity` images.
    public init(capacity: Int, imageElementCount: Int) {
        self.capacity = capacity
        self.imageElementCount = imageElementCount
        let elementCount = max(1, capacity * imageElementCount)
        // 64 bytes: a cache line, and the widest vector register.
        pixels =
            UnsafeMutableRawPointer
            .allocate(byteCount: elementCount * MemoryLayout<Float>.stride, alignment: 64)
            .bindMemory(to: Float.self, capacity: elementCount)
        labels = .allocate(capacity: max(1, capacity))
        sampleIndices = .allocate(capacity: max(1, capacity))
        pixels.initialize(repeating: 0, count: elementCount)
        labels.initialize(repeating: 0, count: max(1, capacity))
        sampleIndices.initialize(repeating: 0, count: max(1, capacity))
    }

    deinit {
        UnsafeMutableRawPointer(pixels).deallocate()
        labels.deallocate()
        sampleIndices.deallocate()
    }
}
