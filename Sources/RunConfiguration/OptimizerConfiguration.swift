// The optimizer and the schedule of its learning rate.

package struct OptimizerConfiguration: Sendable, Equatable {
    package enum Rule: Sendable, Equatable {
        case sgd(momentum: Double, nesterov: Bool)
        case adam(beta1: Double, beta2: Double, epsilon: Double)
        /// Adam with the weight decay taken off the weights instead of added to the gradient.
        case adamw(beta1: Double, beta2: Double, epsilon: Double)
    }
    package enum RuleName: String, CaseIterable, Sendable { case sgd, adam, adamw }

    package var rule: Rule
    /// The rate that the schedule scales.
    package var learningRate: Double
    package var weightDecay: Double

    init(_ parent: ConfigurationReader) throws(ConfigurationError) {
        guard parent.has("optimizer") else { throw parent.missing("optimizer", "an object") }
        let common = ["type", "learningRate", "weightDecay"]
        let sgdKeys = ["momentum", "nesterov"]
        let adamKeys = ["beta1", "beta2", "epsilon"]
        let open = try parent.object("optimizer", keys: common + sgdKeys + adamKeys)
        let type = try open.required("type", "\"sgd\", \"adam\" or \"adamw\"") {
            reader, key throws(ConfigurationError) in try reader.name(key, RuleName.self)
        }
        let own = type == .sgd ? sgdKeys : adamKeys
        let reader = try parent.object("optimizer", keys: common + own)
        learningRate = try reader.required("learningRate", "a number above 0") {
            reader, key throws(ConfigurationError) in try reader.number(key, .positive)
        }
        let decay = try reader.number("weightDecay", .notNegative)
        if type == .sgd {
            let momentum = try reader.number("momentum", .fraction) ?? 0
            let nesterov = try reader.bool("nesterov") ?? false
            guard !nesterov || momentum > 0 else {
                throw reader.conflict("nesterov", "needs a \"momentum\" above 0")
            }
            rule = .sgd(momentum: momentum, nesterov: nesterov)
            weightDecay = decay ?? 0
        } else {
            let beta1 = try reader.number("beta1", .fraction) ?? 0.9
            let beta2 = try reader.number("beta2", .fraction) ?? 0.999
            let epsilon = try reader.number("epsilon", .positive) ?? 1e-8
            rule =
                type == .adam
                ? .adam(beta1: beta1, beta2: beta2, epsilon: epsilon)
                : .adamw(beta1: beta1, beta2: beta2, epsilon: epsilon)
            weightDecay = decay ?? (type == .adamw ? 0.01 : 0)
        }
    }

    var resolved: ConfigurationValue {
        var members: [String: ConfigurationValue] = [
            "learningRate": .number(learningRate), "weightDecay": .number(weightDecay),
        ]
        switch rule {
        case .sgd(let momentum, let nesterov):
            members["type"] = .string(RuleName.sgd.rawValue)
            members["momentum"] = .number(momentum)
            members["nesterov"] = .bool(nesterov)
        case .adam(let beta1, let beta2, let epsilon), .adamw(let beta1, let beta2, let epsilon):
            var type = RuleName.adamw
            if case .adam = rule { type = .adam }
            members["type"] = .string(type.rawValue)
            members["beta1"] = .number(beta1)
            members["beta2"] = .number(beta2)
            members["epsilon"] = .number(epsilon)
        }
        return .object(members)
    }
}

package struct ScheduleConfiguration: Sendable, Equatable {
    package enum Shape: Sendable, Equatable {
        case constant
        /// The rate is multiplied by `factor` after every interval.
        case step(every: Interval, factor: Double)
        /// From the optimizer's rate down to `minimumLearningRate` at the run's last step.
        case cosine(minimumLearningRate: Double)
    }
    package enum Interval: Sendable, Equatable { case epochs(Int), steps(Int) }
    package enum ShapeName: String, CaseIterable, Sendable { case constant, step, cosine }

    package var shape: Shape
    /// Over this many steps the rate first rises in a straight line; 0: no warm-up.
    package var warmupSteps: Int

    init(_ parent: ConfigurationReader) throws(ConfigurationError) {
        let stepKeys = ["everyEpochs", "everySteps", "factor"]
        let cosineKeys = ["minimumLearningRate"]
        let common = ["type", "warmupSteps"]
        let open = try parent.object("schedule", keys: common + stepKeys + cosineKeys)
        let type = try open.name("type", ShapeName.self) ?? .constant
        let own = type == .step ? stepKeys : type == .cosine ? cosineKeys : []
        let reader = try parent.object("schedule", keys: common + own)
        warmupSteps = try reader.integer("warmupSteps", 0...1_000_000_000) ?? 0
        switch type {
        case .constant:
            shape = .constant
        case .cosine:
            shape = .cosine(
                minimumLearningRate: try reader.number("minimumLearningRate", .notNegative) ?? 0)
        case .step:
            let epochs = try reader.integer("everyEpochs", 1...1_000_000)
            let steps = try reader.integer("everySteps", 1...1_000_000_000)
            let factor = try reader.number("factor", .positive) ?? 0.1
            switch (epochs, steps) {
            case (let epochs?, nil): shape = .step(every: .epochs(epochs), factor: factor)
            case (nil, let steps?): shape = .step(every: .steps(steps), factor: factor)
            case (nil, nil):
                throw reader.missing("everyEpochs", "\"everyEpochs\" or \"everySteps\"")
            default:
                throw reader.conflict(
                    "everyEpochs", "give either \"everyEpochs\" or \"everySteps\", not both")
            }
        }
    }

    var resolved: ConfigurationValue {
        var members: [String: ConfigurationValue] = ["warmupSteps": .integer(warmupSteps)]
        switch shape {
        case .constant:
            members["type"] = .string(ShapeName.constant.rawValue)
        case .cosine(let minimumLearningRate):
            members["type"] = .string(ShapeName.cosine.rawValue)
            members["minimumLearningRate"] = .number(minimumLearningRate)
        case .step(let every, let factor):
            members["type"] = .string(ShapeName.step.rawValue)
            members["factor"] = .number(factor)
            switch every {
            case .epochs(let count): members["everyEpochs"] = .integer(count)
            case .steps(let count): members["everySteps"] = .integer(count)
            }
        }
        return .object(members)
    }
}
