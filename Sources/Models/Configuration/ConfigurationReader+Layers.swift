import Configuration
import Kernels

// The ranges that several kinds of layers share, and values that only layers have.

/// Numbers of features, channels and symbols.
let sizeRange = 1...16_777_216
/// Sides of kernels, and strides.
let extentRange = 1...4096
/// Zeros added on each side.
let paddingRange = 0...4096

extension ConfigurationReader {
    func requiredInteger(
        _ key: String, _ range: ClosedRange<Int>
    ) throws(ConfigurationError) -> Int {
        guard let value = try integer(key, range) else { throw missing(key, "a whole number") }
        return value
    }

    func requiredNumber(
        _ key: String, _ range: NumberRange, expected: String
    ) throws(ConfigurationError) -> Double {
        guard let value = try number(key, range) else { throw missing(key, expected) }
        return value
    }

    /// The key "kernel" of a convolution or a pool.
    func kernel() throws(ConfigurationError) -> Extent {
        guard let kernel = try extent("kernel", extentRange) else {
            throw missing("kernel", "a whole number or [height, width]")
        }
        return kernel
    }
}

extension Extent {
    /// The same value for both directions.
    init(_ both: Int) { self.init(height: both, width: both) }

    var pair: ImageWindow.Pair { .init(height, width) }
}
