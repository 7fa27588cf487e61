// The shuffled order of an epoch: a pure function of (seed, epoch), so that any worker can compute
// any replica's samples without asking anybody. Epochs are counted from 0 throughout this layer.

import Kernels

/// Keys that keep this layer's random numbers apart from each other's and from the engine's,
/// which are all drawn for the same seed.
enum RandomPurpose: UInt64 {
    case order = 0x5348_5546_464C_4531
    case augmentation = 0x4155_474D_454E_5431

    func generator(seed: UInt64) -> Philox4x32 { Philox4x32(key: seed ^ rawValue) }
}

/// A permutation of the samples: Fisher and Yates' shuffle (Knuth, volume 2, algorithm P).
public struct SampleOrder: Equatable, Sendable {
    /// The run's seed.
    public let seed: UInt64
    /// Counted from 0.
    public let epoch: Int
    /// `samples[p]` is the sample at position p of the epoch.
    public let samples: [UInt32]

    /// The order of one epoch. Takes about a millisecond for 60,000 samples.
    public init(seed: UInt64, epoch: Int, sampleCount: Int) {
        precondition(sampleCount >= 0 && sampleCount <= Int(UInt32.max), "\(sampleCount) samples")
        self.seed = seed
        self.epoch = epoch
        let generator = RandomPurpose.order.generator(seed: seed)
        var samples = (0..<UInt32(sampleCount)).map { $0 }
        samples.withUnsafeMutableBufferPointer { order in
            var last = sampleCount - 1
            var counter: UInt64 = 0
            while last > 0 {
                let block = generator.block(counter: (counter, UInt64(epoch)))
                counter += 1
                for word in [Self.join(block.0, block.1), Self.join(block.2, block.3)]
                where last > 0 {
                    // The high half of the product is uniform in 0...last, but for a bias of less
                    // than 2^-32 at any number of samples.
                    let chosen = Int(word.multipliedFullWidth(by: UInt64(last + 1)).high)
                    order.swapAt(last, chosen)
                    last -= 1
                }
            }
        }
        self.samples = samples
    }

    private static func join(_ high: UInt32, _ low: UInt32) -> UInt64 {
        UInt64(high) << 32 | UInt64(low)
    }
}
