// The whole of a run's settings, typed. A configuration is JSON5 in configs/; it is read strictly
// (ConfigurationReader) once, by the coordinator, and travels and rests in its resolved form: plain
// JSON with every default written out, which reads back to the equal value.

import Configuration
import Foundation
import Models

/// Everything that determines a run's result, and a few settings that only determine its speed.
package struct RunConfiguration: Sendable, Equatable {
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
    package var data: DataConfiguration
    package var model: ModelConfiguration
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
}

extension RunConfiguration {
    /// Larger files are refused before they are read.
    private static let byteCountLimit = 4 << 20

    /// Reads the file at `path` and applies `overrides` ("key.path=value") in order. An override
    /// of `steps` takes the place of the file's `epochs`, and the reverse.
    package static func load(
        path: String, overrides: [String] = []
    ) throws(ConfigurationError) -> RunConfiguration {
        let attributes: [FileAttributeKey: Any]
        let text: Data
        do {
            attributes = try FileManager.default.attributesOfItem(atPath: path)
            let byteCount = (attributes[.size] as? NSNumber)?.intValue ?? 0
            if attributes[.type] as? FileAttributeType == .typeDirectory {
                throw ConfigurationError(
                    origin: path, problem: .unreadable(reason: "it is a folder"))
            }
            if byteCount > byteCountLimit {
                throw ConfigurationError(
                    origin: path, problem: .tooLarge(byteCount: byteCount, limit: byteCountLimit))
            }
            text = try Data(contentsOf: URL(fileURLWithPath: path))
        } catch let error as ConfigurationError {
            throw error
        } catch {
            let missing = !FileManager.default.fileExists(atPath: path)
            let reason = missing ? "no such file" : error.localizedDescription
            throw ConfigurationError(origin: path, problem: .unreadable(reason: reason))
        }
        let fileName = (path as NSString).lastPathComponent
        let name = fileName.hasSuffix(".json") ? String(fileName.dropLast(5)) : fileName
        return try parse(text, origin: path, defaultName: name, overrides: overrides)
    }

    /// Reads a configuration from JSON5 text; `origin` names it in errors.
    package static func parse(
        _ text: Data, origin: String, defaultName: String = "run", overrides: [String] = []
    ) throws(ConfigurationError) -> RunConfiguration {
        guard text.contains(where: { !" \t\r\n".utf8.contains($0) }) else {
            throw ConfigurationError(origin: origin, problem: .empty)
        }
        var tree = try ConfigurationValue.parse(text, origin: origin)
        var parsed: [ConfigurationOverride] = []
        for override in overrides {
            parsed.append(try ConfigurationOverride(override, origin: origin))
        }
        tree = dropReplacedLength(tree, parsed)
        for override in parsed { try override.apply(to: &tree, origin: origin) }
        return try RunConfiguration(tree, origin: origin, defaultName: defaultName)
    }

    private static func dropReplacedLength(
        _ tree: ConfigurationValue, _ overrides: [ConfigurationOverride]
    ) -> ConfigurationValue {
        guard case .object(var members) = tree else { return tree }
        for (given, replaced) in [("steps", "epochs"), ("epochs", "steps")]
        where overrides.contains(where: { $0.keys == [given] && $0.value != .null }) {
            members[replaced] = nil
        }
        return .object(members)
    }

    init(
        _ tree: ConfigurationValue, origin: String, defaultName: String
    ) throws(ConfigurationError) {
        let reader = try ConfigurationReader(
            tree, origin: origin, path: "",
            keys: [
                "name", "seed", "replicas", "batchSize", "accumulation", "epochs", "steps", "data",
                "model", "optimizer", "schedule", "average", "checkpoint", "evaluation", "threads",
                "bucketMegabytes", "gradients", "communication",
            ])
        name = try reader.text("name") ?? defaultName
        guard !name.contains("/"), name != ".", name != ".." else {
            throw reader.outOfRange("name", "usable as a folder's name", "\"\(name)\"")
        }
        seed = UInt64(try reader.integer("seed", 0...Int.max) ?? 1)
        replicas = try reader.required("replicas", "the number of gradients summed per step") {
            reader, key throws(ConfigurationError) in try reader.integer(key, 1...1024)
        }
        batchSize = try reader.required("batchSize", "the number of samples per replica") {
            reader, key throws(ConfigurationError) in try reader.integer(key, 1...65_536)
        }
        accumulation = try reader.integer("accumulation", 1...65_536) ?? 1
        let epochs = try reader.integer("epochs", 1...1_000_000)
        let steps = try reader.integer("steps", 1...1_000_000_000)
        switch (epochs, steps) {
        case (let epochs?, nil): length = .epochs(epochs)
        case (nil, let steps?): length = .steps(steps)
        case (nil, nil): throw reader.missing("epochs", "the run's length: \"epochs\" or \"steps\"")
        default: throw reader.conflict("epochs", "give either \"epochs\" or \"steps\", not both")
        }
        data = try DataConfiguration(reader)
        model = try ModelConfiguration(reader)
        guard model.isTranslator == data.isPairs else {
            throw reader.conflict(
                "model.type",
                data.isPairs
                    ? "pairs of texts need a recurrentTranslator or a transformerTranslator"
                    : "a \(model.typeName.rawValue) needs \"data.format\" \"pairs\"")
        }
        optimizer = try OptimizerConfiguration(reader)
        schedule = try ScheduleConfiguration(reader)
        average = try AverageConfiguration(in: reader)
        checkpoint = try CheckpointConfiguration(reader)
        evaluation = try EvaluationConfiguration(reader)
        threads = try reader.integer("threads", 1...256) ?? 1
        bucketMegabytes = try reader.number("bucketMegabytes", .from(0.001, to: 1024)) ?? 1
        gradients = try reader.name("gradients") ?? .float32
        communication = try CommunicationConfiguration(reader)
        if let reason = model.loss.conflict(with: data) {
            throw reader.conflict("model.loss.classWeights", reason)
        }
    }

    /// The configuration with every default written out.
    package var resolved: ConfigurationValue {
        var members: [String: ConfigurationValue] = [
            "name": .string(name), "seed": .integer(Int(seed)), "replicas": .integer(replicas),
            "batchSize": .integer(batchSize), "accumulation": .integer(accumulation),
            "data": data.resolved, "model": model.resolved, "optimizer": optimizer.resolved,
            "schedule": schedule.resolved, "checkpoint": checkpoint.resolved,
            "evaluation": evaluation.resolved, "threads": .integer(threads),
            "bucketMegabytes": .number(bucketMegabytes), "gradients": .string(gradients.rawValue),
            "communication": communication.resolved,
        ]
        members["average"] = average?.resolved
        switch length {
        case .epochs(let count): members["epochs"] = .integer(count)
        case .steps(let count): members["steps"] = .integer(count)
        }
        return .object(members)
    }

    /// What `config.json` holds: plain JSON, keys sorted; `parse` of it gives the equal value.
    package func resolvedJSON() -> Data { resolved.encoded() }
}

extension LossConfiguration {
    /// What is wrong with the weights for such data, or nil.
    func conflict(with data: DataConfiguration) -> String? {
        guard let classWeights else { return nil }
        guard let images = data.images else { return "are for images with their classes" }
        guard classWeights.count == images.classes else {
            return "has \(classWeights.count) numbers but \"data.classes\" is \(images.classes)"
        }
        return nil
    }
}
