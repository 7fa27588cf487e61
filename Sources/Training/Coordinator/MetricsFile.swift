// metrics.jsonl: one JSON object a line. A step has `loss` and `accuracy` of its training samples, and
// `gradient_norm` where gradients are clipped by it; an evaluation has the figures that its task has
// (`test_loss` and `test_accuracy`, or `validation_loss`), and its `loss` is that loss. Each step stands in
// the file once: what a resumed run computes again is cut off first.

import Foundation
import WireFormat

/// Writes a run's measurements. One user.
final class MetricsFile {
    private struct StepLine: Encodable {
        let step: Int
        let epoch: Int
        let loss: Double
        let accuracy: Double
        let learningRate: Double
        let seconds: Double
        let samplesPerSecond: Double
        let workers: Int
        let generation: UInt32
        let gradientNorm: Double?
        /// When the step was committed, in seconds since 1970, to the millisecond.
        let time: Decimal

        enum CodingKeys: String, CodingKey {
            case step, epoch, loss, accuracy, seconds, workers, generation, time
            case gradientNorm = "gradient_norm"
            case learningRate = "learning_rate"
            case samplesPerSecond = "samples_per_s"
        }
    }

    private struct EvaluationLine: Encodable {
        let step: Int
        let epoch: Int
        let figures: EvaluationFigures
        let seconds: Double
        let samplesPerSecond: Double
        let workers: Int
        let generation: UInt32

        enum CodingKeys: String, CodingKey {
            case step, epoch, loss, seconds, workers, generation
            case samplesPerSecond = "samples_per_s"
        }

        func encode(to encoder: any Encoder) throws {
            var container = encoder.container(keyedBy: CodingKeys.self)
            try container.encode(step, forKey: .step)
            try container.encode(epoch, forKey: .epoch)
            try container.encode(figures.loss, forKey: .loss)
            try container.encode(seconds, forKey: .seconds)
            try container.encode(samplesPerSecond, forKey: .samplesPerSecond)
            try container.encode(workers, forKey: .workers)
            try container.encode(generation, forKey: .generation)
            try figures.encode(to: encoder)
        }
    }

    private let folder: RunFolder
    private let file: FileHandle
    private let encoder = JSONEncoder()
    private let names: EvaluationNames
    /// The figures after the step at which the run goes on, where they were measured.
    let evaluationAtStart: EvaluationFigures?

    /// The last step and the last evaluation in a run's file; 0 for none.
    static func recorded(
        in folder: RunFolder, names: EvaluationNames
    ) -> (step: Int, evaluatedStep: Int) {
        let bytes = FileManager.default.contents(atPath: folder.metricsPath) ?? Data()
        var recorded = (step: 0, evaluatedStep: 0)
        for line in bytes.split(separator: UInt8(ascii: "\n")) {
            guard let read = (try? JSONSerialization.jsonObject(with: line)) as? [String: Any],
                let step = (read["step"] as? NSNumber)?.intValue
            else { continue }
            if read["learning_rate"] != nil {
                recorded.step = max(recorded.step, step)
            } else if read[names.loss] != nil {
                recorded.evaluatedStep = max(recorded.evaluatedStep, step)
            }
        }
        return recorded
    }

    /// Opens the file and keeps its lines up to `startStep`.
    init(
        folder: RunFolder, names: EvaluationNames, startStep: Int
    ) throws(RunFolderError) {
        self.folder = folder
        self.names = names
        let path = folder.metricsPath
        encoder.outputFormatting = .sortedKeys
        encoder.nonConformingFloatEncodingStrategy = .convertToString(
            positiveInfinity: "inf", negativeInfinity: "-inf", nan: "nan")
        do {
            let (kept, evaluation) = Self.lines(of: path, upTo: startStep, names)
            evaluationAtStart = evaluation
            try kept.write(to: URL(fileURLWithPath: path), options: .atomic)
            file = try FileHandle(forWritingTo: URL(fileURLWithPath: path))
            try file.seekToEnd()
        } catch {
            throw folder.cannotWrite("metrics.jsonl", error)
        }
    }

    deinit { try? file.close() }

    /// Cuts off the lines after a step: the run goes on from there.
    func rewind(to step: Int) throws(RunFolderError) {
        do {
            let (kept, _) = Self.lines(of: folder.metricsPath, upTo: step, names)
            try file.truncate(atOffset: 0)
            try file.write(contentsOf: kept)
            try file.synchronize()
        } catch {
            throw folder.cannotWrite("metrics.jsonl", error)
        }
    }

    private static func lines(
        of path: String, upTo step: Int, _ names: EvaluationNames
    ) -> (kept: Data, evaluation: EvaluationFigures?) {
        guard step > 0, let bytes = FileManager.default.contents(atPath: path) else {
            return (Data(), nil)
        }
        var kept = Data()
        var evaluation: EvaluationFigures?
        for line in bytes.split(separator: UInt8(ascii: "\n")) {
            // A line that a crash cut short is no line.
            guard let read = (try? JSONSerialization.jsonObject(with: line)) as? [String: Any],
                let lineStep = (read["step"] as? NSNumber)?.intValue, lineStep <= step
            else { continue }
            func figure(_ name: String) -> Double? { (read[name] as? NSNumber)?.doubleValue }
            if lineStep == step, let loss = figure(names.loss) {
                let accuracy = names.accuracy.flatMap(figure) ?? 0
                evaluation = EvaluationFigures(names, loss: loss, accuracy: accuracy)
            }
            kept += line + [UInt8(ascii: "\n")]
        }
        return (kept, evaluation)
    }

    func append(
        _ reports: [StepReport], workers: Int, generation: UInt32
    ) throws(RunFolderError) {
        try write(
            reports.map { report in
                let count = Double(max(1, report.sampleCount))
                return StepLine(
                    step: report.step, epoch: report.epoch, loss: report.loss,
                    accuracy: Double(report.correctCount) / count,
                    learningRate: report.learningRate, seconds: report.seconds,
                    samplesPerSecond: Double(report.sampleCount) / max(report.seconds, 1e-9),
                    workers: workers, generation: generation,
                    gradientNorm: report.gradientNorm, time: Self.milliseconds(report.time))
            })
    }

    func append(
        _ report: EvaluationReport, workers: Int, generation: UInt32
    ) throws(RunFolderError) {
        try write([
            EvaluationLine(
                step: report.step, epoch: report.epoch,
                figures: EvaluationFigures(names, report), seconds: report.seconds,
                samplesPerSecond: Double(report.sampleCount) / max(report.seconds, 1e-9),
                workers: workers, generation: generation)
        ])
    }

    private static func milliseconds(_ seconds: Double) -> Decimal {
        Decimal(Int((seconds * 1000).rounded())) / 1000
    }

    private func write(_ lines: [some Encodable]) throws(RunFolderError) {
        do {
            var bytes = Data()
            for line in lines { bytes += try encoder.encode(line) + [UInt8(ascii: "\n")] }
            try file.write(contentsOf: bytes)
        } catch {
            throw folder.cannotWrite("metrics.jsonl", error)
        }
    }
}

extension EvaluationFigures {
    /// The means of a report's sums.
    package init(_ names: EvaluationNames, _ report: EvaluationReport) {
        self.init(names, loss: report.loss, accuracy: report.accuracy)
    }
}
