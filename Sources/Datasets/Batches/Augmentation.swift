import Kernels

/// Random changes to training images.
public struct Augmentation: Equatable, Sendable {
    /// Mirror left and right with probability one half.
    public var horizontalFlip: Bool
    /// Zero pixels added on each side before the original size is cut out at random.
    public var cropPadding: Int

    /// By default images are left as they are.
    public init(horizontalFlip: Bool = false, cropPadding: Int = 0) {
        self.horizontalFlip = horizontalFlip
        self.cropPadding = cropPadding
    }

    /// Images are left as they are.
    public static let none = Augmentation()

    /// What happens to one image: mirrored or not, and where the cut's corner lies relative to the
    /// image's. Keyed by (seed, epoch, sample), never by when or where it is computed.
    public func choice(
        seed: UInt64, epoch: Int, sample: UInt32
    ) -> (isMirrored: Bool, down: Int, right: Int) {
        guard self != .none else { return (false, 0, 0) }
        let words = RandomPurpose.augmentation.generator(seed: seed)
            .block(counter: (UInt64(sample), UInt64(epoch)))
        func offset(_ word: UInt32) -> Int {
            Int((UInt64(word) * UInt64(2 * cropPadding + 1)) >> 32) - cropPadding
        }
        return (horizontalFlip && words.0 >> 31 == 1, offset(words.1), offset(words.2))
    }
}
