// Random numbers of the text data: streams of Philox kept apart by purpose and by a stream number.

import Kernels

/// Keys that keep these random numbers apart from all others drawn for the same seed.
enum TextRandomPurpose: UInt64 {
    case windows = 0x5749_4e44_4f57_5331
    case tiling = 0x5449_4c49_4e47_5331
    case buckets = 0x4255_434b_4554_5331
    case reversal = 0x5245_5645_5253_4531
    case dates = 0x4441_5445_5349_534f

    func key(seed: UInt64) -> UInt64 { seed ^ rawValue }
}

/// A sequence of random numbers, a pure function of (seed, purpose, stream).
struct RandomDraws {
    private let generator: Philox4x32
    private let stream: UInt64
    private var counter: UInt64 = 0

    init(seed: UInt64, purpose: TextRandomPurpose, stream: UInt64 = 0) {
        generator = Philox4x32(key: purpose.key(seed: seed))
        self.stream = stream
    }

    /// The number `index` of the sequence alone, uniform in 0 ..< bound.
    func number(at index: UInt64, below bound: Int) -> Int {
        let block = generator.block(counter: (index, stream))
        let word = UInt64(block.0) << 32 | UInt64(block.1)
        // The high half of the product, as in SampleOrder.
        return Int(word.multipliedFullWidth(by: UInt64(bound)).high)
    }

    /// The next number of the sequence, uniform in 0 ..< bound.
    mutating func next(below bound: Int) -> Int {
        defer { counter += 1 }
        return number(at: counter, below: bound)
    }
}
