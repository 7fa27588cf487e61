// metrics.jsonl: one JSON object a line. A step has the figures of its training samples (`loss` and
// `accuracy`), and `gradient_norm` where gradients are clipped by it; an evaluation has the figures
// that its task has (`test_loss` and `test_accuracy`, or `validation_loss`), and its `loss` is that
// loss. Each step stands in the file once: what a resumed run computes again is cut off first.

import Foundation
import Learning
import Rendezvous
import RunFolders
import WireFormat

/// Writes a run's measurements. One user.
final class MetricsFile: RunObserver {
    private struct StepLine: Encodable {
        let step: Int
        let epoch: Int
        let figures: FigureValues
        let learningRate: Double
        let seconds: Double
        let samplesPerSecond: Double
        let workers: Int
        let generation: UInt32
        let gradientNorm: Double?
        /// When the step was committed, in seconds since 1970, to the millisecond.
        let time: Decimal

        enum CodingKeys: String, CodingKey {
            case step, epoch, seconds, workers, generation, time
            case gradientNorm = "gradient_norm"
            case learningRate = "learning_rate"
            case samplesPerSecond = "samples_per_s"
        }

        func encode(to encoder: any Encoder) throws {
            var container = encoder.container(keyedBy: CodingKeys.self)
            try container.encode(step, forKey: .step)
            try container.encode(epoch, forKey: .epoch)
            try container.encode(learningRate, forKey: .learningRate)
            try container.encode(seconds, forKey: .seconds)
            try container.encode(samplesPerSecond, forKey: .samplesPerSecond)
            try container.encode(workers, forKey: .workers)
            try container.encode(generation, forKey: .generation)
            try container.encodeIfPresent(gradientNorm, forKey: .gradientNorm)
            try container.encode(time, forKey: .time)
            try figures.encode(to: encoder)
        }
    }

    private struct EvaluationLine: Encodable {
        let step: Int
        let epoch: Int
        let figures: FigureValues
        let loss: Double?
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
            try container.encodeIfPresent(loss, forKey: .loss)
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
    private let metrics: Metrics
    /// The figures after the step at which the run goes on, where they were measured.
    let evaluationAtStart: FigureValues?
    /// The generation that was opened last.
    private var generation: GenerationDescription?

    /// The last step and the last evaluation in a run's file; 0 for none.
    static func recorded(
        in folder: RunFolder, metrics: Metrics
    ) -> (step: Int, evaluatedStep: Int) {
        let bytes = FileManager.default.contents(atPath: folder.metricsPath) ?? Data()
        var recorded = (step: 0, evaluatedStep: 0)
        for line in bytes.split(separator: UInt8(ascii: "\n")) {
            guard let read = (try? JSONSerialization.jsonObject(with: line)) as? [String: Any],
                let step = (read["step"] as? NSNumber)?.intValue
            else { continue }
            if read["learning_rate"] != nil {
                recorded.step = max(recorded.step, step)
            } else if read[metrics.lossKey] != nil {
                recorded.evaluatedStep = max(recorded.evaluatedStep, step)
            }
        }
        return recorded
    }

    /// Opens the file and keeps its lines up to `startStep`.
    init(
        folder: RunFolder, metrics: Metrics, startStep: Int
    ) throws(RunFolderError) {
        self.folder = folder
        self.metrics = metrics
        let path = folder.metricsPath
        encoder.outputFormatting = .sortedKeys
        encoder.nonConformingFloatEncodingStrategy = .convertToString(
            positiveInfinity: "inf", negativeInfinity: "-inf", nan: "nan")
        do {
            let (kept, evaluation) = Self.lines(of: path, upTo: startStep, metrics)
            evaluationAtStart = evaluation
            try kept.write(to: URL(fileURLWithPath: path), options: .atomic)
            file = try FileHandle(forWritingTo: URL(fileURLWithPath: path))
            try file.seekToEnd()
        } catch {
            throw folder.cannotWrite("metrics.jsonl", error)
        }
    }

    deinit { try? file.close() }

    func generationOpened(_ generation: GenerationDescription) {
        self.generation = generation
    }

    /// Cuts off the lines after a step: the run goes on from there.
    func wentBack(toStep step: Int) throws(RunFolderError) {
        do {
            let (kept, _) = Self.lines(of: folder.metricsPath, upTo: step, metrics)
            try file.truncate(atOffset: 0)
            try file.write(contentsOf: kept)
            try file.synchronize()
        } catch {
            throw folder.cannotWrite("metrics.jsonl", error)
        }
    }

    private static func lines(
        of path: String, upTo step: Int, _ metrics: Metrics
    ) -> (kept: Data, evaluation: FigureValues?) {
        guard step > 0, let bytes = FileManager.default.contents(atPath: path) else {
            return (Data(), nil)
        }
        var kept = Data()
        var evaluation: FigureValues?
        for line in bytes.split(separator: UInt8(ascii: "\n")) {
            // A line that a crash cut short is no line.
            guard let read = (try? JSONSerialization.jsonObject(with: line)) as? [String: Any],
                let lineStep = (read["step"] as? NSNumber)?.intValue, lineStep <= step
            else { continue }
            if lineStep == step,
                let figures = metrics.figures({ (read[$0] as? NSNumber)?.doubleValue })
            {
                evaluation = figures
            }
            kept += line + [UInt8(ascii: "\n")]
        }
        return (kept, evaluation)
    }

    func stepsReported(_ reports: [StepReport]) throws(RunFolderError) {
        try write(
            reports.map { report in
                StepLine(
                    step: report.step, epoch: report.epoch,
                    figures: metrics.figures(ofStep: report), learningRate: report.learningRate,
                    seconds: report.seconds,
                    samplesPerSecond: Double(report.sampleCount) / max(report.seconds, 1e-9),
                    workers: generation?.workers.count ?? 0,
                    generation: generation?.number ?? 0,
                    gradientNorm: report.gradientNorm, time: Self.milliseconds(report.time))
            })
    }

    func evaluationReported(_ report: EvaluationReport) throws(RunFolderError) {
        guard let figures = metrics.figures(computed: report.figures) else { return }
        try write([
            EvaluationLine(
                step: report.step, epoch: report.epoch, figures: figures,
                loss: figures[metrics.lossKey], seconds: report.seconds,
                samplesPerSecond: Double(report.sampleCount) / max(report.seconds, 1e-9),
                workers: generation?.workers.count ?? 0, generation: generation?.number ?? 0)
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

extension Metrics {
    /// The figures of a step's training samples.
    fileprivate func figures(ofStep report: StepReport) -> FigureValues {
        let sums = [Double(report.sampleCount), report.lossSum, report.lossWeight] + report.sums
        // A worker may send anything.
        guard report.sums.count == self.sums.count else { return FigureValues([], []) }
        return FigureValues(training, training.map { $0.value(sums) })
    }
}
