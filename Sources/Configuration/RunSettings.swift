// What every run has, whatever it learns. Data, network and loss belong to the task.

/// Everything but the task that determines a run's result, and a few settings that only determine
/// its speed.
package struct RunSettings: Sendable, Equatable {
    /// Names the default output folder; the file's name without `.json` if not given.
    package var name: String
    package var seed: UInt64
    /// Gradients summed per step: part of the result, unlike the number of workers.
    package var replicas: Int
    /// Samples per replica and micro-batch.
    package var batchSize: Int
    /// Micro-batches per replica and step.
    package var accumulation: Int
    package var length: RunLength
    package var optimizer: OptimizerConfiguration
    package var schedule: ScheduleConfiguration
    /// nil: the weights of the last step are the model.
    package var average: AverageConfiguration?
    package var checkpoint: CheckpointConfiguration
    package var evaluation: EvaluationConfiguration
    /// BLAS threads per worker. The number is part of the result's bits.
    package var threads: Int
    /// Gradients are reduced in buckets of about this size. The borders are part of the bits.
    package var bucketMegabytes: Double
    /// What gradients are rounded to before they are added up. Part of the result.
    package var gradients: GradientNumbers
    package var communication: CommunicationConfiguration

    package var epochs: Int? { if case .epochs(let count) = length { count } else { nil } }
    package var steps: Int? { if case .steps(let count) = length { count } else { nil } }
    /// Samples per step.
    package var globalBatchSize: Int { replicas * accumulation * batchSize }

    package static let keys = [
        "name", "seed", "replicas", "batchSize", "accumulation", "epochs", "steps", "optimizer",
        "schedule", "average", "checkpoint", "evaluation", "threads", "bucketMegabytes",
        "gradients", "communication",
    ]

    /// Reads the members that every configuration has.
    package init(
        _ reader: ConfigurationReader, defaultName: String
    ) throws(ConfigurationError) {
        name = try reader.text("name") ?? defaultName
        guard !name.contains("/"), name != ".", name != ".." else {
            throw reader.outOfRange("name", "usable as a folder's name", "\"\(name)\"")
        }
        seed = UInt64(try reader.integer("seed", 0...Int.max) ?? 1)
        replicas = try reader.requiredInteger(
            "replicas", 1...1024, "the number of gradients summed per step")
        batchSize = try reader.requiredInteger(
            "batchSize", 1...65_536, "the number of samples per replica")
        accumulation = try reader.integer("accumulation", 1...65_536) ?? 1
        length = try RunLength(reader)
        optimizer = try OptimizerConfiguration(reader)
        schedule = try ScheduleConfiguration(reader)
        average = try AverageConfiguration(in: reader)
        checkpoint = try CheckpointConfiguration(reader)
        evaluation = try EvaluationConfiguration(reader)
        threads = try reader.integer("threads", 1...256) ?? 1
        bucketMegabytes = try reader.number("bucketMegabytes", .from(0.001, to: 1024)) ?? 1
        gradients = try reader.name("gradients") ?? .float32
        communication = try CommunicationConfiguration(reader)
    }

    /// The members with every default written out.
    package var resolved: [String: ConfigurationValue] {
        var members: [String: ConfigurationValue] = [
            "name": .string(name), "seed": .integer(Int(seed)), "replicas": .integer(replicas),
            "batchSize": .integer(batchSize), "accumulation": .integer(accumulation),
            "optimizer": optimizer.resolved, "schedule": schedule.resolved,
            "checkpoint": checkpoint.resolved, "evaluation": evaluation.resolved,
            "threads": .integer(threads), "bucketMegabytes": .number(bucketMegabytes),
            "gradients": .string(gradients.rawValue), "communication": communication.resolved,
        ]
        members["average"] = average?.resolved
        switch length {
        case .epochs(let count): members["epochs"] = .integer(count)
        case .steps(let count): members["steps"] = .integer(count)
        }
        return members
    }
}
