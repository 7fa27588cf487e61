// What a person sees of a run on standard error. On a terminal: one line per epoch that is drawn
// over and over, left standing when the epoch is done. Elsewhere (a file, a pipe): plain lines, one
// every few seconds and one at an epoch's end, so that a log stays readable.

import Foundation
import Learning
import Rendezvous
import WireFormat

/// Draws progress through a closure that writes text; has no thread and no clock of its own.
package final class ProgressDisplay: RunObserver {
    package struct Settings: Sendable {
        package var isTerminal: Bool
        /// Columns of the terminal.
        package var width: Int
        package var totalSteps: Int
        package var stepsPerEpoch: Int
        package var startStep: Int
        package var workers: Int
        package var metrics: Metrics

        package init(
            isTerminal: Bool, width: Int, totalSteps: Int, stepsPerEpoch: Int, startStep: Int,
            workers: Int, metrics: Metrics
        ) {
            self.isTerminal = isTerminal
            self.width = width
            self.totalSteps = totalSteps
            self.stepsPerEpoch = stepsPerEpoch
            self.startStep = startStep
            self.workers = workers
            self.metrics = metrics
        }
    }

    /// Faster redrawing would cost more than it shows; slower looks stuck.
    private static let redrawInterval: Duration = .milliseconds(100)
    private static let plainInterval: Duration = .seconds(5)

    private let settings: Settings
    /// Those of the open generation.
    private var workerCount: Int
    private let write: (String) -> Void
    private var isBarVisible = false
    private var lastDrawn: ContinuousClock.Instant?
    private var epoch = 0
    private var epochLossSum = 0.0
    private var epochLossWeight = 0.0
    private var epochSampleCount = 0
    private var epochSeconds = 0.0
    private var totalSeconds = 0.0
    private var step: Int

    package init(_ settings: Settings, write: @escaping (String) -> Void) {
        self.settings = settings
        workerCount = settings.workers
        self.write = write
        step = settings.startStep
    }

    /// A line that stays.
    package func line(_ text: String) {
        clear()
        write(text + "\n")
    }

    package func show(_ reports: [StepReport], now: ContinuousClock.Instant) {
        for report in reports {
            if report.epoch != epoch { beginEpoch(report.epoch) }
            step = report.step
            epochLossSum += report.lossSum
            epochLossWeight += report.lossWeight
            epochSampleCount += report.sampleCount
            epochSeconds += report.seconds
            totalSeconds += report.seconds
            if step % settings.stepsPerEpoch == 0 || step == settings.totalSteps {
                finishEpoch(now: now)
            }
        }
        let interval = settings.isTerminal ? Self.redrawInterval : Self.plainInterval
        if let lastDrawn, now - lastDrawn < interval { return }
        guard lastDrawn != nil || settings.isTerminal else {
            lastDrawn = now
            return
        }
        draw(now: now)
    }

    package func show(_ report: EvaluationReport) {
        let endsEpoch = report.step % settings.stepsPerEpoch == 0
        let when = endsEpoch ? "epoch \(report.epoch)" : "step \(report.step)"
        let figures = settings.metrics.figures(computed: report.figures)
        line("\(when): \(figures?.summary ?? "figures of another task")")
    }

    /// Takes the bar away before other text is written.
    package func clear() {
        if isBarVisible { write("\r\u{1B}[K") }
        isBarVisible = false
    }

    // MARK: - RunObserver

    /// The person who watches is told how the run ends, whatever becomes of its files.
    package var outlivesWriteFailure: Bool { true }

    package func generationOpened(_ generation: GenerationDescription) {
        workerCount = generation.workers.count
    }

    package func stepsReported(_ reports: [StepReport]) { show(reports, now: .now) }

    package func evaluationReported(_ report: EvaluationReport) { show(report) }

    package func logged(_ line: String, isDetail: Bool) {
        if !isDetail { self.line(line) }
    }

    package func runEnded(_ outcome: RunOutcome) { clear() }

    // MARK: - Drawing

    private func beginEpoch(_ number: Int) {
        epoch = number
        epochLossSum = 0
        epochLossWeight = 0
        epochSampleCount = 0
        epochSeconds = 0
    }

    private func finishEpoch(now: ContinuousClock.Instant) {
        draw(now: now)
        if isBarVisible { write("\n") }
        isBarVisible = false
    }

    private func draw(now: ContinuousClock.Instant) {
        guard epochSampleCount > 0, epoch > 0 else { return }
        lastDrawn = now
        let text = status()
        if settings.isTerminal {
            write("\r" + text + "\u{1B}[K")
            isBarVisible = true
        } else {
            write(text + "\n")
        }
    }

    /// The line's text: `epoch 2/10 [====>   ] 123/469  loss 0.4213  18034 samples/s ...`.
    private func status() -> String {
        let epochStart = (epoch - 1) * settings.stepsPerEpoch
        let epochEnd = min(epochStart + settings.stepsPerEpoch, settings.totalSteps)
        let epochs = (settings.totalSteps + settings.stepsPerEpoch - 1) / settings.stepsPerEpoch
        let done = step - epochStart
        let count = max(1, epochEnd - epochStart)
        let left = "epoch \(epoch)/\(epochs)"
        let loss = epochLossSum / max(epochLossWeight, 1e-9)
        let speed = Double(epochSampleCount) / max(epochSeconds, 1e-9)
        var right = "\(done)/\(count)  loss \(ProgressText.fixed(loss, 4))"
        right += "  \(Int(speed.rounded())) samples/s"
        right += "  \(workerCount) worker" + (workerCount == 1 ? "" : "s")
        if let remaining = remainingSeconds {
            right += "  \(ProgressText.duration(remaining)) left"
        }
        guard settings.isTerminal else { return "\(left)  \(right)" }
        // The text behind the bar takes some 60 columns; the bar must not change its length with
        // it.
        let length = min(settings.width - left.count - 64, 30)
        guard length >= 5 else { return String("\(left)  \(right)".prefix(settings.width - 1)) }
        let filled = min(length, length * done / count)
        let bar = String(repeating: "=", count: filled) + (filled < length ? ">" : "")
        let rest = String(repeating: " ", count: length - bar.count)
        return String("\(left) [\(bar)\(rest)] \(right)".prefix(settings.width - 1))
    }

    private var remainingSeconds: Double? {
        let done = step - settings.startStep
        guard done > 0, step < settings.totalSteps else { return nil }
        return totalSeconds / Double(done) * Double(settings.totalSteps - step)
    }
}
