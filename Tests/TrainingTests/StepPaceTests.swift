import Testing
import Training

@Suite struct StepPaceTests {
    private func pace(stepSeconds: Double, longest: Duration) -> StepPace {
        var pace = StepPace(longest: longest)
        for _ in 0..<10 {
            #expect(pace.stallTimeout == longest, "not known yet")
            pace.add(.seconds(stepSeconds))
        }
        return pace
    }

    /// 20 steps' time, 3 s at least, `longest` at most; a step that takes longer is no stall.
    @Test func theLimitFollowsTheSteps() {
        #expect(pace(stepSeconds: 0.01, longest: .seconds(30)).stallTimeout == .seconds(3))
        #expect(pace(stepSeconds: 0.5, longest: .seconds(30)).stallTimeout == .seconds(10))
        #expect(pace(stepSeconds: 4, longest: .seconds(30)).stallTimeout == .seconds(30))
        #expect(pace(stepSeconds: 40, longest: .seconds(30)).stallTimeout == .seconds(120))
    }

    @Test func anExpectedDelayLastsForOneStep() {
        var pace = pace(stepSeconds: 0.5, longest: .seconds(30))
        pace.expectDelay()
        #expect(pace.stallTimeout == .seconds(30))
        pace.add(.seconds(0.5))
        #expect(pace.stallTimeout == .seconds(10))
    }
}
