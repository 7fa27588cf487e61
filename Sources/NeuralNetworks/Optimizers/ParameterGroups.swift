import Tensors

// Some parameters are trained by other settings than the rest; the usual case is weight decay,
// which biases and the scales of norms go without. A group is a set of ranges of the flat buffers,
// so that an update is still one pass over memory.

/// Ranges of the flat buffer and how their settings differ.
public struct ParameterGroup: Sendable, Equatable {
    /// Ascending, apart from each other.
    public let ranges: [Range<Int>]
    /// Multiplies the learning rate.
    public let learningRateFactor: Double
    /// Multiplies the weight decay; 0 for none.
    public let decayFactor: Double

    /// Ranges with their factors.
    public init(ranges: [Range<Int>], learningRateFactor: Double = 1, decayFactor: Double = 1) {
        self.ranges = ranges
        self.learningRateFactor = learningRateFactor
        self.decayFactor = decayFactor
    }

    /// The factors of one parameter.
    public typealias Factors = (learningRate: Double, decay: Double)

    /// Groups of all parameters that have the same factors; neighbours are one range.
    ///
    /// - Parameters:
    ///   - slots: the store's, in their order.
    ///   - count: elements of its buffer, gaps included.
    ///   - factors: nil leaves a parameter out, so that it is not updated.
    public static func groups(
        of slots: [StateSlot], count: Int, factors: (StateSlot) -> Factors?
    ) -> [ParameterGroup] {
        var found: [(factors: Factors, ranges: [Range<Int>])] = []
        for (position, slot) in slots.enumerated() {
            let end = position + 1 < slots.count ? slots[position + 1].offset : count
            let range = slot.offset..<end
            guard let factors = factors(slot) else { continue }
            guard let group = found.firstIndex(where: { $0.factors == factors }) else {
                found.append((factors, [range]))
                continue
            }
            if let last = found[group].ranges.last, last.upperBound == range.lowerBound {
                found[group].ranges[found[group].ranges.count - 1] =
                    last.lowerBound..<range.upperBound
            } else {
                found[group].ranges.append(range)
            }
        }
        return found.map { entry in
            ParameterGroup(
                ranges: entry.ranges, learningRateFactor: entry.factors.learningRate,
                decayFactor: entry.factors.decay)
        }
    }

    /// No weight decay on vectors and scalars: biases and the weights of norms.
    public static func decayingMatrices(of slots: [StateSlot], count: Int) -> [ParameterGroup] {
        groups(of: slots, count: count) { (1, $0.shape.rank > 1 ? 1 : 0) }
    }
}

/// An optimizer that treats each group by its factors; elements of no group are not updated.
public struct ParameterGroups<Rule: Optimizer>: Optimizer {
    /// As the rule that every group follows.
    public static var stateNames: [String] { Rule.stateNames }
    /// As the rule that every group follows.
    public var states: [Tensor] { rule.states }
    private let rule: Rule
    private let groups: [ParameterGroup]

    /// - Precondition: no element is in two groups.
    public init(_ rule: Rule, groups: [ParameterGroup]) {
        let ranges = groups.flatMap(\.ranges).sorted { $0.lowerBound < $1.lowerBound }
        precondition(
            zip(ranges, ranges.dropFirst()).allSatisfy { $0.upperBound <= $1.lowerBound },
            "parameter groups overlap")
        self.rule = rule
        self.groups = groups
    }

    /// One update; see `Optimizer`.
    public func update(
        _ values: Tensor, in range: Range<Int>, gradients: UnsafePointer<Float>,
        gradientScale: Float, learningRate: Double, decayFactor: Double, step: Int
    ) {
        for group in groups {
            for part in group.ranges {
                let overlap = part.clamped(to: range)
                if overlap.isEmpty { continue }
                rule.update(
                    values, in: overlap,
                    gradients: gradients + (overlap.lowerBound - range.lowerBound),
                    gradientScale: gradientScale,
                    learningRate: learningRate * group.learningRateFactor,
                    decayFactor: decayFactor * group.decayFactor, step: step)
            }
        }
    }

    /// As the rule, with the factors of the groups that the range is in.
    public func changeOfUntouchedRows(in range: Range<Int>, decayFactor: Double) -> String? {
        for group in groups where group.ranges.contains(where: { $0.overlaps(range) }) {
            let change = rule.changeOfUntouchedRows(
                in: range, decayFactor: decayFactor * group.decayFactor)
            if let change { return change }
        }
        return nil
    }
}

extension Optimizer {
    /// This rule with groups, as an optimizer of any kind.
    public func grouped(_ groups: [ParameterGroup]) -> any Optimizer {
        ParameterGroups(self, groups: groups)
    }
}
