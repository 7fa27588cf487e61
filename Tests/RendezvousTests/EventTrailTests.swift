import Rendezvous
import Testing

@Suite struct EventTrailTests {
    @Test func theLastEventsAreKeptInOrder() {
        let trail = EventTrail()
        #expect(trail.lines() == [])
        let origin = ContinuousClock.now
        for number in 0..<450 {
            trail.record("event \(number)", step: number, at: origin + .milliseconds(number))
        }
        let lines = trail.lines(now: origin + .milliseconds(1500))
        #expect(lines.count == EventTrail.limit)
        #expect(lines.first == "-1.250 s event 250, step 250")
        #expect(lines.last == "-1.051 s event 449, step 449")
    }
}
