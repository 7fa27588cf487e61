/// Counter-based random numbers: Philox4x32-10 (Salmon et al. 2011, section 4.3).
///
/// A block is a pure function of key and counter, so a replica draws the same numbers on every
/// worker.
public struct Philox4x32: Sendable {
    private let key: UInt64

    /// The stream of one key, usually the run's seed.
    public init(key: UInt64) { self.key = key }

    /// Four 32-bit random words; `counter` holds the low and the high half of the 128-bit counter.
    public func block(counter: (UInt64, UInt64)) -> (UInt32, UInt32, UInt32, UInt32) {
        var c0 = UInt32(truncatingIfNeeded: counter.0)
        var c1 = UInt32(truncatingIfNeeded: counter.0 >> 32)
        var c2 = UInt32(truncatingIfNeeded: counter.1)
        var c3 = UInt32(truncatingIfNeeded: counter.1 >> 32)
        var k0 = UInt32(truncatingIfNeeded: key)
        var k1 = UInt32(truncatingIfNeeded: key >> 32)
        for _ in 0..<10 {
            let p0 = UInt64(c0) &* 0xD251_1F53
            let p1 = UInt64(c2) &* 0xCD9E_8D57
            let next0 = UInt32(truncatingIfNeeded: p1 >> 32) ^ c1 ^ k0
            let next2 = UInt32(truncatingIfNeeded: p0 >> 32) ^ c3 ^ k1
            c1 = UInt32(truncatingIfNeeded: p1)
            c3 = UInt32(truncatingIfNeeded: p0)
            c0 = next0
            c2 = next2
            k0 &+= 0x9E37_79B9
            k1 &+= 0xBB67_AE85
        }
        return (c0, c1, c2, c3)
    }
}
