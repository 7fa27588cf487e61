// The rule that turns a step's gradient into new weights, and what is done to the gradient before.

package struct OptimizerConfiguration: Sendable, Equatable {
    package enum Rule: Sendable, Equatable {
        case sgd(momentum: Double, nesterov: Bool)
        case adam(beta1: Double, beta2: Double, epsilon: Double)
        /// Adam with the weight decay taken off the weights instead of added to the gradient.
        case adamw(beta1: Double, beta2: Double, epsilon: Double)
        case rmsprop(alpha: Double, epsilon: Double, momentum: Double, centered: Bool)
        /// The rate is divided by 1 + (step - 1) * rateDecay; the sums of squares begin at
        /// `initialSum`.
        case adagrad(rateDecay: Double, epsilon: Double, initialSum: Double)
        case adadelta(rho: Double, epsilon: Double)
    }
    package enum RuleName: String, CaseIterable, Sendable {
        case sgd, adam, adamw, rmsprop, adagrad, adadelta

        fileprivate var keys: [String] {
            switch self {
            case .sgd: ["momentum", "nesterov"]
            case .adam, .adamw: ["beta1", "beta2", "epsilon"]
            case .rmsprop: ["alpha", "epsilon", "momentum", "centered"]
            case .adagrad: ["rateDecay", "epsilon", "initialSum"]
            case .adadelta: ["rho", "epsilon"]
            }
        }
    }

    package var rule: Rule
    /// The rate that the schedule scales.
    package var learningRate: Double
    package var weightDecay: Double
    /// Whether weight decay is for all parameters, or for matrices and kernels only.
    package var decayNormsAndBiases: Bool
    package var clipping: ClippingConfiguration?
    package var groups: [ParameterGroupConfiguration]

    package init(_ parent: ConfigurationReader) throws(ConfigurationError) {
        guard parent.has("optimizer") else { throw parent.missing("optimizer", "an object") }
        let common = [
            "type", "learningRate", "weightDecay", "decayNormsAndBiases", "clipping", "groups",
        ]
        let open = try parent.object(
            "optimizer", keys: common + RuleName.allCases.flatMap(\.keys))
        let type = try open.required("type", "an optimizer's name, e.g. \"sgd\" or \"adamw\"") {
            reader, key throws(ConfigurationError) in try reader.name(key, RuleName.self)
        }
        let reader = try parent.object("optimizer", keys: common + type.keys)
        learningRate = try reader.required("learningRate", "a number above 0") {
            reader, key throws(ConfigurationError) in try reader.number(key, .positive)
        }
        // PyTorch's defaults, here and in the rules.
        weightDecay =
            try reader.number("weightDecay", .notNegative) ?? (type == .adamw ? 0.01 : 0)
        decayNormsAndBiases = try reader.bool("decayNormsAndBiases") ?? true
        clipping = try ClippingConfiguration(in: reader)
        groups = try ParameterGroupConfiguration.list(reader)
        rule = try Rule(type, reader)
    }

    package var resolved: ConfigurationValue {
        var members = rule.resolved
        members["learningRate"] = .number(learningRate)
        members["weightDecay"] = .number(weightDecay)
        members["decayNormsAndBiases"] = .bool(decayNormsAndBiases)
        members["clipping"] = clipping?.resolved
        if !groups.isEmpty { members["groups"] = .array(groups.map(\.resolved)) }
        return .object(members)
    }
}

extension OptimizerConfiguration.Rule {
    fileprivate init(
        _ type: OptimizerConfiguration.RuleName, _ reader: ConfigurationReader
    ) throws(ConfigurationError) {
        switch type {
        case .sgd:
            let momentum = try reader.number("momentum", .fraction) ?? 0
            let nesterov = try reader.bool("nesterov") ?? false
            guard !nesterov || momentum > 0 else {
                throw reader.conflict("nesterov", "needs a \"momentum\" above 0")
            }
            self = .sgd(momentum: momentum, nesterov: nesterov)
        case .adam, .adamw:
            let beta1 = try reader.number("beta1", .fraction) ?? 0.9
            let beta2 = try reader.number("beta2", .fraction) ?? 0.999
            let epsilon = try reader.number("epsilon", .positive) ?? 1e-8
            self =
                type == .adam
                ? .adam(beta1: beta1, beta2: beta2, epsilon: epsilon)
                : .adamw(beta1: beta1, beta2: beta2, epsilon: epsilon)
        case .rmsprop:
            self = .rmsprop(
                alpha: try reader.number("alpha", .fraction) ?? 0.99,
                epsilon: try reader.number("epsilon", .positive) ?? 1e-8,
                momentum: try reader.number("momentum", .fraction) ?? 0,
                centered: try reader.bool("centered") ?? false)
        case .adagrad:
            self = .adagrad(
                rateDecay: try reader.number("rateDecay", .notNegative) ?? 0,
                epsilon: try reader.number("epsilon", .positive) ?? 1e-10,
                initialSum: try reader.number("initialSum", .notNegative) ?? 0)
        case .adadelta:
            self = .adadelta(
                rho: try reader.number("rho", .fraction) ?? 0.9,
                epsilon: try reader.number("epsilon", .positive) ?? 1e-6)
        }
    }

    private var name: OptimizerConfiguration.RuleName {
        switch self {
        case .sgd: .sgd
        case .adam: .adam
        case .adamw: .adamw
        case .rmsprop: .rmsprop
        case .adagrad: .adagrad
        case .adadelta: .adadelta
        }
    }

    fileprivate var resolved: [String: ConfigurationValue] {
        var members: [String: ConfigurationValue] = ["type": .string(name.rawValue)]
        switch self {
        case .sgd(let momentum, let nesterov):
            members["momentum"] = .number(momentum)
            members["nesterov"] = .bool(nesterov)
        case .adam(let beta1, let beta2, let epsilon), .adamw(let beta1, let beta2, let epsilon):
            members["beta1"] = .number(beta1)
            members["beta2"] = .number(beta2)
            members["epsilon"] = .number(epsilon)
        case .rmsprop(let alpha, let epsilon, let momentum, let centered):
            members["alpha"] = .number(alpha)
            members["epsilon"] = .number(epsilon)
            members["momentum"] = .number(momentum)
            members["centered"] = .bool(centered)
        case .adagrad(let rateDecay, let epsilon, let initialSum):
            members["rateDecay"] = .number(rateDecay)
            members["epsilon"] = .number(epsilon)
            members["initialSum"] = .number(initialSum)
        case .adadelta(let rho, let epsilon):
            members["rho"] = .number(rho)
            members["epsilon"] = .number(epsilon)
        }
        return members
    }
}
