/// How long a worker waits in the ring while nothing moves, before it takes a link for broken
/// although its neighbour shows signs of life. The limit follows the steps: a slow model is no
/// broken link.
package struct StepPace {
    /// Below this a busy machine's hiccups would count.
    private static let shortest = Duration.seconds(3)
    /// A neighbour may compute this many times longer than steps usually take, and this many times
    /// where that is longer than `longest`.
    private static let patience = 20.0
    private static let leastPatience = 3.0
    /// Steps after which their usual time is known.
    private static let knownAfter = 10
    private static let smoothing = 0.1

    /// While nothing is known, and where one worker has more to do than the others.
    package let longest: Duration
    private var seconds = 0.0
    private var count = 0
    private var isDelayed = false

    package init(longest: Duration) { self.longest = longest }

    package mutating func add(_ duration: Duration) {
        let latest = duration / .seconds(1)
        seconds = count == 0 ? latest : seconds + Self.smoothing * (latest - seconds)
        count += 1
        isDelayed = false
    }

    /// Before the next step some worker evaluates or saves.
    package mutating func expectDelay() { isDelayed = true }

    package var stallTimeout: Duration {
        guard count >= Self.knownAfter, !isDelayed else { return longest }
        let limit = max(longest, .seconds(Self.leastPatience * seconds))
        return min(limit, max(Self.shortest, .seconds(Self.patience * seconds)))
    }
}
