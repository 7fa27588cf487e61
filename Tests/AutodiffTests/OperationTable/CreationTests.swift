import Autodiff
import Foundation
import Tensors
import Testing

@Suite struct CreationTests {
    private let random = RandomCounter(key: 11, 1, 2, 3)

    @Test func fixedValues() {
        #expect(Tensor.full([2, 2], 3).scalars == [3, 3, 3, 3])
        #expect(Tensor.arange(4).scalars == [0, 1, 2, 3])
        #expect(Tensor.arange(1, 2, step: 0.25).scalars == [1, 1.25, 1.5, 1.75])
        #expect(Tensor.arange(3, 0, step: -1).scalars == [3, 2, 1])
        #expect(Tensor.arange(3, 0).count == 0)
        #expect(Tensor.eye(2, 3).scalars == [1, 0, 0, 0, 1, 0])
        #expect(Tensor.eye(3, 2, diagonal: -1).scalars == [0, 0, 1, 0, 0, 1])
        #expect(Tensor.eye(0).count == 0)
    }

    /// Equal counters give equal numbers, and a shorter tensor is the beginning of a longer one.
    @Test func numbersArePureFunctionsOfTheCounter() {
        let draws: [(Shape, RandomCounter) -> Tensor] = [
            { Tensor.uniform($0, low: -1, high: 1, $1) }, { Tensor.normal($0, $1) },
            { Tensor.bernoulli($0, probability: 0.5, $1) },
        ]
        for draw in draws {
            let long = draw([200], random).scalars
            #expect(long == draw([200], random).scalars)
            #expect(Array(long[..<70]) == draw([7, 10], random).scalars)
            for other in [
                RandomCounter(key: 12, 1, 2, 3), RandomCounter(key: 11, 0, 2, 3),
                RandomCounter(key: 11, 1, 0, 3), RandomCounter(key: 11, 1, 2, 0),
            ] { #expect(long != draw([200], other).scalars) }
            #expect(draw([0], random).count == 0)
        }
    }

    /// Means and variances of 100,000 numbers within six standard deviations.
    @Test func moments() {
        func moments(_ tensor: Tensor) -> (mean: Double, variance: Double) {
            let values = tensor.scalars.map(Double.init)
            let mean = values.reduce(0, +) / Double(values.count)
            return (
                mean, values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(values.count)
            )
        }
        let uniform = Tensor.uniform([100_000], low: 2, high: 4, random)
        #expect(uniform.scalars.allSatisfy { $0 >= 2 && $0 < 4 })
        #expect(abs(moments(uniform).mean - 3) < 0.011)
        #expect(abs(moments(uniform).variance - 1.0 / 3) < 0.006)
        let normal = Tensor.normal([100_000], mean: 1, deviation: 2, random)
        #expect(abs(moments(normal).mean - 1) < 0.038)
        #expect(abs(moments(normal).variance - 4) < 0.11)
        // 2.275 % lie beyond two deviations on each side.
        let beyond = normal.scalars.count { $0 > 5 }
        #expect(abs(beyond - 2275) < 283)
        let bernoulli = Tensor.bernoulli([100_000], probability: 0.3, random)
        #expect(Set(bernoulli.scalars) == [0, 1])
        #expect(abs(moments(bernoulli).mean - 0.3) < 0.0087)
        #expect(Tensor.bernoulli([500], probability: 0, random).scalars.allSatisfy { $0 == 0 })
        #expect(Tensor.bernoulli([500], probability: 1, random).scalars.allSatisfy { $0 == 1 })
    }

    @Test func permutations() {
        let order = Indices.permutation(1000, random)
        #expect(order.values.sorted() == Array(0..<1000))
        #expect(order == Indices.permutation(1000, random))
        #expect(order != Indices.permutation(1000, RandomCounter(key: 11, 1, 2, 4)))
        #expect(Indices.permutation(0, random).values == [])
        // Each of the six orders of three is drawn about 1000 times, deviation 29.
        var counts: [[Int32]: Int] = [:]
        for step in 0..<6000 {
            let order = Indices.permutation(3, RandomCounter(key: 5, 0, UInt32(step)))
            counts[order.values, default: 0] += 1
        }
        #expect(counts.count == 6)
        #expect(counts.values.allSatisfy { abs($0 - 1000) < 174 })
    }

    @Test func categories() {
        let rows = 100_000
        let weights = Tensor(
            (0..<rows).flatMap { _ in [1, 0, 3, 0] as [Float] }, [rows, 4])
        let drawn = Indices.categorical(weights: weights, random)
        #expect(drawn.shape == [rows])
        #expect(Set(drawn.values) == [0, 2])
        let first = drawn.values.count { $0 == 0 }
        #expect(abs(first - 25_000) < 822)
    }

    /// A pass gives every draw a counter of its own.
    @Test func tapesCountTheirDraws() {
        func draws(step: Int) -> [RandomCounter] {
            let tape = Tape(
                .training(seed: 3, step: step, replica: 0, microBatch: 0, sampleCount: 1))
            return [tape.nextRandom(), tape.nextRandom()]
        }
        #expect(Set(draws(step: 1) + draws(step: 2)).count == 4)
        #expect(draws(step: 1) == draws(step: 1))
    }
}
