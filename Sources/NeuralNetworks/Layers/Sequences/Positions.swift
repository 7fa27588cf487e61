import Autodiff
import Kernels
import Tensors

/// A trained vector for each position, added to [N, T, width].
public struct LearnedPositions: Layer {
    /// [capacity, width], normal with deviation 0.02, as in GPT-2.
    public let weight: Parameter

    /// Positions 0 ..< capacity.
    public init(
        _ capacity: Int, _ width: Int, deviation: Double = 0.02, stream: inout InitializationStream
    ) {
        weight = Parameter(stream.normal([capacity, width], deviation: deviation))
    }

    /// Positions from 0 on: [N, T, width] to the same.
    public func callAsFunction(_ x: Variable) -> Variable { self(x, first: 0) }

    /// Positions from `first` on, for the next steps of a sequence that is generated.
    public func callAsFunction(_ x: Variable, first: Int) -> Variable {
        addPositions(x, table: weight, first: first)
    }
}

/// Sines and cosines of geometrically falling frequencies (Vaswani et al. 2017, section 3.5):
/// column 2i: sin(t / 10000^(2i / width)), column 2i + 1 its cosine. Nothing is trained.
public struct SinusoidalPositions: Layer {
    private let table: Tensor

    /// Positions 0 ..< capacity.
    public init(_ capacity: Int, _ width: Int) {
        table = Tensor(uninitialized: [capacity, width])
        for column in 0..<width {
            let exponent = Double(column / 2 * 2) / Double(width)
            let frequency = tenThousandth(toThe: exponent)
            for position in 0..<capacity {
                let halfTurns = Double(position) * frequency / Double.pi
                // The cosine is even, and the sine a cosine a quarter turn, half a half turn,
                // later.
                let shifted = column % 2 == 0 ? halfTurns - 0.5 : halfTurns
                let inTurn = abs(shifted).truncatingRemainder(dividingBy: 2)
                let fraction = inTurn > 1 ? 2 - inTurn : inTurn
                table.pointer[position * width + column] = Float(
                    PortableMath.cosineOfHalfTurns(fraction))
            }
        }
    }

    /// No part is trained.
    public var parts: [(name: String, value: Any)] { [] }

    /// Positions from 0 on: [N, T, width] to the same.
    public func callAsFunction(_ x: Variable) -> Variable { self(x, first: 0) }

    /// Positions from `first` on.
    public func callAsFunction(_ x: Variable, first: Int) -> Variable {
        addPositions(x, table: table, first: first)
    }
}

/// 10000^-exponent for an exponent in 0...1: e^-x = (e^(-x / 64))^64, Taylor's series for the inner
/// one.
private func tenThousandth(toThe exponent: Double) -> Double {
    let x = -exponent * PortableMath.logarithm(10_000) / 64
    // |x| <= 0.144: the term x^14 / 14! is below 1e-22.
    var sum = 1.0
    for term in Swift.stride(from: 14, through: 1, by: -1) { sum = 1 + sum * x / Double(term) }
    return PortableMath.power(sum, 64)
}
