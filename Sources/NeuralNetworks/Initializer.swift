import Glibc
import Kernels
import Tensors

/// The distribution of a weight's first values.
public enum Initializer: String, Sendable {
    /// Uniform in +-1 / sqrt(fanIn): PyTorch's default for linear and convolution layers (He et al.
    /// 2015 with the slope sqrt(5)).
    case kaimingUniform
    /// Normal with deviation sqrt(2 / fanIn), for layers before a ReLU (He et al. 2015, section
    /// 2.2).
    case kaimingNormal
    /// Uniform in +-sqrt(6 / (fanIn + fanOut)) (Glorot and Bengio 2010, equation 16).
    case xavierUniform
    /// Normal with deviation sqrt(2 / (fanIn + fanOut)).
    case xavierNormal

    /// A tensor of such values; a pure function of the stream.
    public func tensor(
        _ shape: Shape, fanIn: Int, fanOut: Int, stream: inout InitializationStream
    ) -> Tensor {
        let fanIn = Double(fanIn)
        let sum = fanIn + Double(fanOut)
        switch self {
        case .kaimingUniform: return stream.uniform(shape, bound: 1 / fanIn.squareRoot())
        case .kaimingNormal: return stream.normal(shape, deviation: (2 / fanIn).squareRoot())
        case .xavierUniform: return stream.uniform(shape, bound: (6 / sum).squareRoot())
        case .xavierNormal: return stream.normal(shape, deviation: (2 / sum).squareRoot())
        }
    }
}

/// The random numbers of initial weights: a counter per tensor and per draw under the run's seed.
public struct InitializationStream: Sendable {
    /// nil: tensors keep whatever their memory holds.
    private let generator: Philox4x32?
    private var tensorIndex: UInt64 = 0
    /// Sets these counters apart from those of shuffling, augmentation and dropout.
    private static let domain: UInt64 = 0x1417 << 48

    /// The stream of one seed.
    public init(seed: UInt64) { generator = Philox4x32(key: seed) }

    private init(generator: Philox4x32?) { self.generator = generator }

    /// A stream that gives tensors their sizes alone, for a network that is only to be counted:
    /// large weights take no time and, as their memory is never touched, no memory.
    package static let undrawn = InitializationStream(generator: nil)

    mutating func uniform(_ shape: Shape, bound: Double) -> Tensor {
        fill(shape) { generator, counter in
            let words = generator.block(counter: counter)
            return bound * (2 * unitInterval(words.0, words.1) - 1)
        }
    }

    mutating func normal(_ shape: Shape, deviation: Double) -> Tensor {
        fill(shape) { generator, counter in deviation * standardNormal(generator, counter) }
    }

    private mutating func fill(
        _ shape: Shape, _ draw: (Philox4x32, (UInt64, UInt64)) -> Double
    ) -> Tensor {
        let tensor = Tensor(uninitialized: shape)
        guard let generator else { return tensor }
        for element in 0..<shape.count {
            tensor.pointer[element] = Float(
                draw(generator, (UInt64(element) << 16, Self.domain | tensorIndex)))
        }
        tensorIndex += 1
        return tensor
    }
}

/// 53 random bits as a double in [0, 1).
private func unitInterval(_ high: UInt32, _ low: UInt32) -> Double {
    Double((UInt64(high) << 32 | UInt64(low)) >> 11) * 0x1p-53
}

/// Marsaglia's polar method; the low 16 bits of the counter number the attempts (each succeeds with
/// probability 0.785, so running out has probability below 1e-40000).
private func standardNormal(_ generator: Philox4x32, _ counter: (UInt64, UInt64)) -> Double {
    var attempt: UInt64 = 0
    while true {
        let words = generator.block(counter: (counter.0 | attempt, counter.1))
        let u = 2 * unitInterval(words.0, words.1) - 1
        let v = 2 * unitInterval(words.2, words.3) - 1
        let s = u * u + v * v
        if s < 1 && s > 1e-300 {
            return u * (-2 * PortableMath.logarithm(s) / s).squareRoot()
        }
        attempt += 1
    }
}
