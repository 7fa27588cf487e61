// The weights and batches of the parity tests, made element by element from a name and an index,
// so that this side and reference/make_reference.py start from the same Floats without a file that
// holds them. The formula is written out at the top of that script; the two must change together,
// and the witness values in the JSON files show at once when they did not.

/// Where a computation starts: the name its numbers are drawn under, and two shifts of the
/// distribution.
struct ReferenceStart: Decodable, Equatable, Sendable {
    let key: String
    /// Added to every bias.
    let biasOffset: Double
    /// Multiplies the weights of linear layers.
    let linearScale: Double
}

/// One batch in the layout [N, 1, 28, 28], which for one channel is [N, 28, 28, 1] as well.
struct ReferenceBatch: Sendable {
    let images: [Float]
    let labels: [Int32]
}

enum ReferenceFormula {
    static let pixelCount = 28 * 28

    /// The values that follow from one text: SplitMix64 started at the text's FNV-1a hash, with
    /// random access.
    struct Stream {
        private let state: UInt64

        init(_ text: String) {
            var hash: UInt64 = 0xCBF2_9CE4_8422_2325
            for byte in text.utf8 { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01B3 }
            state = hash
        }

        func bits(_ index: Int) -> UInt64 {
            var z = state &+ UInt64(index + 1) &* 0x9E37_79B9_7F4A_7C15
            z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
            z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
            return z ^ (z >> 31)
        }

        /// In [-1, 1), exact.
        func signed(_ index: Int) -> Double { Double(bits(index) >> 11) * 0x1p-52 - 1 }
    }

    /// A parameter's initial elements in PyTorch's layout; `shape` is PyTorch's too.
    static func initialValue(of name: String, shape: [Int], start: ReferenceStart) -> [Float] {
        let stream = Stream("\(start.key)/\(name)")
        let count = shape.reduce(1, *)
        if shape.count >= 2 {
            let scale = (6 / Double(shape.dropFirst().reduce(1, *))).squareRoot()
            let linearScale = shape.count == 2 ? start.linearScale : 1
            return (0..<count).map { Float(stream.signed($0) * scale * linearScale) }
        }
        let middle = name.hasSuffix(".weight") ? 1 : start.biasOffset
        return (0..<count).map { Float(middle + stream.signed($0) / 8) }
    }

    static func batch(step: Int, size: Int) -> ReferenceBatch {
        let labelStream = Stream("labels/\(step)")
        let labels = (0..<size).map { Int32(labelStream.bits($0) % 10) }
        let noise = Stream("images/\(step)")
        var images: [Float] = []
        images.reserveCapacity(size * pixelCount)
        for (position, label) in labels.enumerated() {
            let pattern = Stream("pattern/\(label)")
            for pixel in 0..<pixelCount {
                let value = noise.signed(position * pixelCount + pixel) + pattern.signed(pixel) / 8
                images.append(Float(value))
            }
        }
        return ReferenceBatch(images: images, labels: labels)
    }
}
