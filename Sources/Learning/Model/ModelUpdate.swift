import ExitCodes
import Configuration
import DataParallel
import NeuralNetworks

// The update rules that a configuration asks for, in the engine's types.

/// One update rule of a model: optimizer, schedule, and what it leaves alone.
package struct ModelUpdate {
    package let optimizer: any Optimizer
    package let clipping: GradientClipping
    package let schedule: Schedule
    /// Elements of the flat values that belong to other rules; empty where there is one rule for
    /// all.
    package let otherRanges: [Range<Int>]

    /// - Throws: `ParameterGroupError` for a pattern that matches no parameter.
    init(
        _ rule: UpdateRule, _ store: ParameterStore, stepsPerEpoch: Int, totalSteps: Int
    ) throws(ParameterGroupError) {
        let slots = store.updatedSlots
        let isOwned: (StateSlot) -> Bool
        if let match = rule.match {
            let pattern = NamePattern(match)
            isOwned = { pattern.matches($0.name) }
            guard slots.contains(where: isOwned) else {
                throw ParameterGroupError(
                    path: "update", match: match, problem: .unmatched, known: slots.map(\.name))
            }
        } else {
            isOwned = { _ in true }
        }
        optimizer = try rule.optimizer.optimizer(
            of: slots, count: store.updatedCount, where: isOwned)
        try Self.checkSparseTables(store.sparseSlots.filter(isOwned), optimizer)
        clipping = rule.optimizer.clipping?.clipping ?? .none
        schedule = rule.schedule.schedule(
            peak: rule.optimizer.learningRate, stepsPerEpoch: stepsPerEpoch,
            totalSteps: totalSteps)
        otherRanges =
            rule.match == nil
            ? []
            : ParameterGroup.groups(of: slots, count: store.updatedCount) {
                isOwned($0) ? nil : (1, 1)
            }.flatMap(\.ranges)
    }

    private static func checkSparseTables(
        _ tables: [StateSlot], _ optimizer: any Optimizer
    ) throws(ParameterGroupError) {
        for table in tables {
            let range = table.offset..<table.offset + table.shape.count
            if let change = optimizer.changeOfUntouchedRows(in: range, decayFactor: 1) {
                throw ParameterGroupError(
                    path: "optimizer", match: table.name, problem: .changesUntouchedRows(change),
                    known: tables.map(\.name))
            }
        }
    }
}

extension ModelUpdate {
    /// Whether a rule's patterns match parameters of a network.
    /// - Throws: `ParameterGroupError`.
    package static func check(
        _ rule: UpdateRule, of network: any Module
    ) throws(ParameterGroupError) {
        _ = try ModelUpdate(
            rule, ParameterStore(adopting: network), stepsPerEpoch: 1, totalSteps: 1)
    }
}

/// A parameter group that matches no parameter, or an optimizer that cannot train a parameter.
package struct ParameterGroupError: ExitCoded, Equatable, CustomStringConvertible {
    package enum Problem: Equatable, Sendable {
        /// No parameter matches.
        case unmatched
        /// Parameters match, but groups before this one have them all.
        case taken
        /// The match is a sparse table, and this would change its untouched rows.
        case changesUntouchedRows(String)
    }

    /// In the configuration: `optimizer.groups.0.match`.
    package let path: String
    package let match: String
    package let problem: Problem
    /// The names of the model's parameters.
    package let known: [String]

    package var exitCode: ExitCode { .usage }

    package init(path: String, match: String, problem: Problem, known: [String]) {
        self.path = path
        self.match = match
        self.problem = problem
        self.known = known
    }

    package var description: String {
        switch problem {
        case .unmatched:
            "\"\(path)\": no parameter matches \"\(match)\"; the parameters are "
                + known.joined(separator: ", ")
        case .taken:
            "\"\(path)\": all parameters that match \"\(match)\" are in groups before it"
        case .changesUntouchedRows(let change):
            "\"\(path)\": \(change) would change all rows of the sparse table \"\(match)\" at"
                + " each step, though only touched rows are updated; use \"sgd\" without momentum,"
                + " \"adagrad\" or \"adam\", and no weight decay for the table"
        }
    }
}

extension OptimizerConfiguration {
    /// The optimizer with its groups, for the parameters that `isOwned` chooses.
    fileprivate func optimizer(
        of slots: [StateSlot], count: Int, where isOwned: (StateSlot) -> Bool
    ) throws(ParameterGroupError) -> any Optimizer {
        let rule = rule(count: count)
        let ownsAll = slots.allSatisfy(isOwned)
        if groups.isEmpty && decayNormsAndBiases && ownsAll { return rule }
        let memberships = try memberships(of: slots.filter(isOwned))
        let parts = ParameterGroup.groups(of: slots, count: count) { slot in
            guard isOwned(slot) else { return nil }
            // Norms and biases are the vectors among the parameters.
            let decay = decayNormsAndBiases || slot.shape.rank > 1 ? 1.0 : 0
            guard let group = memberships[slot.name] else { return (1, decay) }
            return (group.learningRateFactor, decay * group.decayFactor)
        }
        return rule.grouped(parts)
    }

    /// By parameter name, the first group that matches.
    private func memberships(
        of slots: [StateSlot]
    ) throws(ParameterGroupError) -> [String: ParameterGroupConfiguration] {
        var memberships: [String: ParameterGroupConfiguration] = [:]
        for (position, group) in groups.enumerated() {
            let matching = slots.map(\.name).filter(group.matches)
            let free = matching.filter { memberships[$0] == nil }
            guard !free.isEmpty else {
                throw ParameterGroupError(
                    path: "optimizer.groups.\(position).match", match: group.match,
                    problem: matching.isEmpty ? .unmatched : .taken, known: slots.map(\.name))
            }
            for name in free { memberships[name] = group }
        }
        return memberships
    }

    private func rule(count: Int) -> any Optimizer {
        switch rule {
        case .sgd(let momentum, let nesterov):
            return SGD(
                count: count, momentum: momentum, nesterov: nesterov, weightDecay: weightDecay)
        case .adam(let beta1, let beta2, let epsilon):
            return Adam(
                count: count, beta1: beta1, beta2: beta2, epsilon: epsilon,
                weightDecay: weightDecay)
        case .adamw(let beta1, let beta2, let epsilon):
            return Adam(
                count: count, beta1: beta1, beta2: beta2, epsilon: epsilon,
                weightDecay: weightDecay, decoupledDecay: true)
        case .rmsprop(let alpha, let epsilon, let momentum, let centered):
            return RMSProp(
                count: count, alpha: alpha, epsilon: epsilon, momentum: momentum,
                centered: centered, weightDecay: weightDecay)
        case .adagrad(let rateDecay, let epsilon, let initialSum):
            return Adagrad(
                count: count, rateDecay: rateDecay, epsilon: epsilon, initialSum: initialSum,
                weightDecay: weightDecay)
        case .adadelta(let rho, let epsilon):
            return Adadelta(count: count, rho: rho, epsilon: epsilon, weightDecay: weightDecay)
        }
    }
}

extension ClippingConfiguration {
    fileprivate var clipping: GradientClipping {
        switch self {
        case .globalNorm(let limit): .globalNorm(limit)
        case .value(let limit): .value(limit)
        }
    }
}

extension ScheduleConfiguration {
    /// The rate of each step.
    fileprivate func schedule(peak: Double, stepsPerEpoch: Int, totalSteps: Int) -> Schedule {
        let shape: Schedule.Shape
        switch self.shape {
        case .constant: shape = .constant
        case .step(.steps(let count), let factor):
            shape = .step(everySteps: count, factor: factor)
        case .step(.epochs(let count), let factor):
            shape = .step(everySteps: count * stepsPerEpoch, factor: factor)
        case .cosine(let minimum): shape = .cosine(minimum: minimum)
        case .oneCycle(let rise, let startDivisor, let endDivisor):
            shape = .oneCycle(rise: rise, startDivisor: startDivisor, endDivisor: endDivisor)
        case .inverseSquareRoot: shape = .inverseSquareRoot
        }
        return Schedule(
            peak: peak, shape: shape, warmupSteps: warmupSteps, totalSteps: totalSteps)
    }
}
