// How a run is kept, measured and connected: none of this changes the trained weights.

package struct CheckpointConfiguration: Sendable, Equatable {
    /// 0: none at the end of epochs.
    package var everyEpochs: Int
    package var everySteps: Int?
    /// Older checkpoints beyond this number are removed.
    package var keep: Int

    package init(_ parent: ConfigurationReader) throws(ConfigurationError) {
        let reader = try parent.object("checkpoint", keys: ["everyEpochs", "everySteps", "keep"])
        everyEpochs = try reader.integer("everyEpochs", 0...1_000_000) ?? 1
        everySteps = try reader.integer("everySteps", 1...1_000_000_000)
        keep = try reader.integer("keep", 1...1_000_000) ?? 2
    }

    package var resolved: ConfigurationValue {
        var members: [String: ConfigurationValue] = [
            "everyEpochs": .integer(everyEpochs), "keep": .integer(keep),
        ]
        members["everySteps"] = everySteps.map { .integer($0) }
        return .object(members)
    }
}

package struct EvaluationConfiguration: Sendable, Equatable {
    /// 0: none at the end of epochs. The end of the run is always measured.
    package var everyEpochs: Int
    package var everySteps: Int?
    package var batchSize: Int

    package init(_ parent: ConfigurationReader) throws(ConfigurationError) {
        let reader = try parent.object(
            "evaluation", keys: ["everyEpochs", "everySteps", "batchSize"])
        everyEpochs = try reader.integer("everyEpochs", 0...1_000_000) ?? 1
        everySteps = try reader.integer("everySteps", 1...1_000_000_000)
        batchSize = try reader.integer("batchSize", 1...65_536) ?? 250
    }

    package var resolved: ConfigurationValue {
        var members: [String: ConfigurationValue] = [
            "everyEpochs": .integer(everyEpochs), "batchSize": .integer(batchSize),
        ]
        members["everySteps"] = everySteps.map { .integer($0) }
        return .object(members)
    }
}

package struct CommunicationConfiguration: Sendable, Equatable {
    /// A link on which nothing moves for this long counts as broken.
    package var timeoutSeconds: Double
    package var heartbeatSeconds: Double
    /// A worker without a sign of life for so long counts as lost.
    package var silenceSeconds: Double
    /// Workers whose coordinator stays away for so long save their state and end.
    package var coordinatorSeconds: Double
    /// The workers that were asked for must have joined by then.
    package var startSeconds: Double
    /// Bytes per frame of the ring, in units of 1024.
    package var segmentKilobytes: Int
    package var transport: Transport

    /// What the ring's links go through.
    package enum Transport: String, CaseIterable, Codable, Sendable {
        /// Shared memory where both ends can reach it, else TCP, link by link.
        case auto
        case tcp
        /// Shared memory everywhere, or no ring.
        case shm
    }

    package var timeout: Duration { .seconds(timeoutSeconds) }
    package var heartbeatInterval: Duration { .seconds(heartbeatSeconds) }
    package var coordinatorTimeout: Duration { .seconds(coordinatorSeconds) }
    package var silenceTimeout: Duration { .seconds(silenceSeconds) }
    package var startTimeout: Duration { .seconds(startSeconds) }
    package var segmentByteCount: Int { segmentKilobytes * 1024 }

    package init(_ parent: ConfigurationReader) throws(ConfigurationError) {
        let reader = try parent.object(
            "communication",
            keys: [
                "timeoutSeconds", "heartbeatSeconds", "silenceSeconds", "coordinatorSeconds",
                "startSeconds", "segmentKilobytes", "transport",
            ])
        timeoutSeconds = try reader.number("timeoutSeconds", .from(0.1, to: 86_400)) ?? 30
        heartbeatSeconds = try reader.number("heartbeatSeconds", .from(0.01, to: 3600)) ?? 0.25
        silenceSeconds =
            try reader.number("silenceSeconds", .from(0.05, to: 86_400))
            ?? max(1.5, 4 * heartbeatSeconds)
        coordinatorSeconds =
            try reader.number("coordinatorSeconds", .from(0.1, to: 86_400)) ?? 60
        startSeconds = try reader.number("startSeconds", .from(0.1, to: 86_400)) ?? 60
        segmentKilobytes = try reader.integer("segmentKilobytes", 1...65_536) ?? 512
        transport = try reader.name("transport") ?? .auto
        for (name, limit) in [
            ("timeoutSeconds", timeoutSeconds), ("silenceSeconds", silenceSeconds),
        ] where heartbeatSeconds * 2 > limit {
            throw reader.conflict(
                "heartbeatSeconds",
                "\(heartbeatSeconds) is more than half of \"\(name)\" (\(limit))")
        }
    }

    package var resolved: ConfigurationValue {
        .object([
            "timeoutSeconds": .number(timeoutSeconds),
            "heartbeatSeconds": .number(heartbeatSeconds),
            "silenceSeconds": .number(silenceSeconds),
            "coordinatorSeconds": .number(coordinatorSeconds),
            "startSeconds": .number(startSeconds),
            "segmentKilobytes": .integer(segmentKilobytes),
            "transport": .string(transport.rawValue),
        ])
    }
}
