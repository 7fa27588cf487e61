import Testing
import Training
import WireFormat

@Suite struct ProgressDisplayTests {
    private let start = ContinuousClock.now

    private final class Screen {
        var text = ""
    }

    private func display(_ screen: Screen, isTerminal: Bool, width: Int = 100) -> ProgressDisplay {
        let display = ProgressDisplay(
            .init(
                isTerminal: isTerminal, width: width, totalSteps: 20, stepsPerEpoch: 10,
                startStep: 0, workers: 2)
        ) { screen.text += $0 }
        return display
    }

    private func steps(_ range: ClosedRange<Int>) -> [StepReport] {
        range.map {
            StepReport(
                step: $0, epoch: ($0 - 1) / 10 + 1, lossSum: 50, correctCount: 60, sampleCount: 100,
                seconds: 0.5, learningRate: 0.1)
        }
    }

    @Test func plainLinesAtTheEndOfEpochsAndEveryFewSeconds() {
        let screen = Screen()
        let display = display(screen, isTerminal: false)
        display.show(steps(1...3), now: start + .seconds(1))
        #expect(screen.text == "")
        display.show(steps(4...5), now: start + .seconds(6.5))
        #expect(
            screen.text
                == "epoch 1/2  5/10  loss 0.5000  200 samples/s  2 workers  7.5 s left\n")
        screen.text = ""
        display.show(steps(6...20), now: start + .seconds(8))
        #expect(
            screen.text
                == "epoch 1/2  10/10  loss 0.5000  200 samples/s  2 workers  5.0 s left\n"
                + "epoch 2/2  10/10  loss 0.5000  200 samples/s  2 workers\n")
    }

    @Test func terminalRedrawsOneLineAndLeavesItAtTheEndOfAnEpoch() {
        let screen = Screen()
        let display = display(screen, isTerminal: true)
        display.show(steps(1...5), now: start + .seconds(5))
        #expect(
            screen.text
                == "\repoch 1/2 [=============>             ] "
                + "5/10  loss 0.5000  200 samples/s  2 workers  7.5 s left\u{1B}[K")
        display.show(steps(6...6), now: start + .seconds(5.05))
        #expect(!screen.text.contains("6/10"), "redrawn too soon")
        screen.text = ""
        display.line("a word")
        #expect(screen.text == "\r\u{1B}[Ka word\n")
        screen.text = ""
        display.show(steps(7...10), now: start + .seconds(10))
        #expect(screen.text.hasSuffix("\u{1B}[K\n"))
        #expect(screen.text.contains("[===========================] 10/10"))
    }

    @Test func narrowTerminalIsNotOverrun() {
        let screen = Screen()
        display(screen, isTerminal: true, width: 30).show(steps(1...5), now: start + .seconds(5))
        #expect(
            screen.text
                == "\repoch 1/2  5/10  loss 0.5000  \u{1B}[K".replacing("  \u{1B}", with: " \u{1B}")
        )
    }

    @Test func resultLineAndTable() throws {
        let result = RunResult(
            steps: 20, epochs: 2,
            evaluation: EvaluationFigures(.classification, loss: 0.25, accuracy: 0.9234),
            seconds: 3725,
            samplesPerSecond: 1234.6, workers: 2, modelDigest: "abc", output: "runs/x")
        #expect(
            try result.line()
                == "result {\"epochs\":2,\"model_sha256\":\"abc\",\"output\":\"runs/x\","
                + "\"samples_per_s\":1234.6,\"seconds\":3725,\"steps\":20,"
                + "\"test_accuracy\":0.9234,\"test_loss\":0.25,\"workers\":2}")
        #expect(result.table().contains("  test accuracy    92.34 %"))
        #expect(result.table().contains("  time             1:02:05"))
    }
}
