// How the learning rate goes from step to step.

package struct ScheduleConfiguration: Sendable, Equatable {
    package enum Shape: Sendable, Equatable {
        case constant
        /// The rate is multiplied by `factor` after every interval.
        case step(every: Interval, factor: Double)
        /// From the optimizer's rate down to `minimumLearningRate` at the run's last step.
        case cosine(minimumLearningRate: Double)
        /// Up to the optimizer's rate over the share `rise` of the run, then down, as PyTorch's
        /// `OneCycleLR`: from rate / startDivisor and to rate / startDivisor / endDivisor.
        case oneCycle(rise: Double, startDivisor: Double, endDivisor: Double)
        /// rate * sqrt(warmupSteps / step).
        case inverseSquareRoot

        /// Whether the rates change with the run's length.
        package var dependsOnLength: Bool {
            switch self {
            case .cosine, .oneCycle: true
            case .constant, .step, .inverseSquareRoot: false
            }
        }
    }
    package enum Interval: Sendable, Equatable { case epochs(Int), steps(Int) }
    package enum ShapeName: String, CaseIterable, Sendable {
        case constant, step, cosine, oneCycle, inverseSquareRoot

        fileprivate var keys: [String] {
            switch self {
            case .constant, .inverseSquareRoot: ["warmupSteps"]
            case .step: ["warmupSteps", "everyEpochs", "everySteps", "factor"]
            case .cosine: ["warmupSteps", "minimumLearningRate"]
            // Its rise is the warm-up.
            case .oneCycle: ["rise", "startDivisor", "endDivisor"]
            }
        }
    }

    package var shape: Shape
    /// Over this many steps the rate first rises in a straight line; 0: no warm-up.
    package var warmupSteps: Int

    package init(_ parent: ConfigurationReader) throws(ConfigurationError) {
        let open = try parent.object(
            "schedule", keys: ["type"] + ShapeName.allCases.flatMap(\.keys))
        let type = try open.name("type", ShapeName.self) ?? .constant
        let reader = try parent.object("schedule", keys: ["type"] + type.keys)
        warmupSteps = try reader.integer("warmupSteps", 0...1_000_000_000) ?? 0
        switch type {
        case .constant:
            shape = .constant
        case .cosine:
            shape = .cosine(
                minimumLearningRate: try reader.number("minimumLearningRate", .notNegative) ?? 0)
        case .oneCycle:
            // PyTorch's defaults.
            shape = .oneCycle(
                rise: try reader.number("rise", .fraction) ?? 0.3,
                startDivisor: try reader.number("startDivisor", .positive) ?? 25,
                endDivisor: try reader.number("endDivisor", .positive) ?? 1e4)
        case .inverseSquareRoot:
            shape = .inverseSquareRoot
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

    package var resolved: ConfigurationValue {
        var members: [String: ConfigurationValue] = ["warmupSteps": .integer(warmupSteps)]
        switch shape {
        case .inverseSquareRoot:
            members["type"] = .string(ShapeName.inverseSquareRoot.rawValue)
        case .oneCycle(let rise, let startDivisor, let endDivisor):
            members["warmupSteps"] = nil
            members["type"] = .string(ShapeName.oneCycle.rawValue)
            members["rise"] = .number(rise)
            members["startDivisor"] = .number(startDivisor)
            members["endDivisor"] = .number(endDivisor)
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
