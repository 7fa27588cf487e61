// What will happen to a run and when. It is drawn from a seed before the run starts, so the same
// seed gives the same events at the same steps on a machine of any speed. Pure.

/// What can happen to a run.
package enum ChaosKind: String, CaseIterable, Codable, Sendable {
    /// SIGKILL to a worker.
    case kill
    /// SIGSTOP to a worker, SIGCONT after a while.
    case stop
    /// SIGKILL to the worker that sends a checkpoint, while it does.
    case checkpoint
    /// SIGTERM to a worker; another one joins instead.
    case leave
    /// A link of a worker is reset.
    case reset
    /// A link of a worker carries nothing for a while and is reset then.
    case cut
    /// The coordinator has no room for a checkpoint: a limit on its files' size, for a while.
    case disk
    /// SIGKILL to the coordinator.
    case coordinator

    /// Its weight when events are drawn.
    fileprivate var weight: Int {
        switch self {
        case .kill: 6
        case .stop, .coordinator: 3
        case .leave, .reset: 2
        case .checkpoint, .cut, .disk: 1
        }
    }

    /// What it does, for messages and tables.
    package var description: String {
        switch self {
        case .kill: "SIGKILL"
        case .stop: "SIGSTOP"
        case .checkpoint: "SIGKILL at a checkpoint"
        case .leave: "SIGTERM, another joins"
        case .reset: "link reset"
        case .cut: "link cut"
        case .disk: "no room for a checkpoint"
        case .coordinator: "coordinator SIGKILL"
        }
    }

    /// Whether the current step is begun again if the members change because of it.
    package var breaksTheStep: Bool { self != .leave }

    /// Whether it happens at a checkpoint.
    package var needsCheckpoint: Bool { self == .checkpoint || self == .disk }

    /// Whether it needs the links to go through a relay.
    package var needsRelay: Bool { self == .reset || self == .cut }
}

/// An event of the plan.
package struct ChaosEvent: Equatable, Sendable {
    package var number: Int
    package var kind: ChaosKind
    /// It happens when this many steps are committed.
    package var step: Int
    /// The worker that it hits: this number modulo the number of workers.
    package var choice: Int
    /// How long a stop or a cut lasts.
    package var seconds: Double
    /// Whether a reset or a cut hits a link of the ring, not the one to the coordinator.
    package var hitsRing: Bool
}

/// The events of one run, in order.
package struct ChaosPlan: Equatable, Sendable {
    package let events: [ChaosEvent]

    /// - Parameters:
    ///   - kinds: those to draw from, without those that the run cannot have.
    ///   - checkpointSteps: after which a checkpoint is sent, ascending.
    /// - Precondition: kinds, 1 <= count, 1 <= steps.
    package init(
        seed: UInt64, count: Int, steps: Int, kinds: [ChaosKind], checkpointSteps: [Int]
    ) {
        precondition(!kinds.isEmpty && count >= 1 && steps >= 1)
        var random = SeededNumbers(seed: seed)
        let drawn = kinds.flatMap { Array(repeating: $0, count: $0.weight) }
        var events: [ChaosEvent] = []
        var last = 0
        for index in 0..<count {
            // Each event has its own part of the run, but for the first and last steps: spread, yet
            // at no foreseeable moment. The number of draws is the same for every kind.
            let place = 0.03 + 0.9 * (Double(index) + random.fraction()) / Double(count)
            var kind = drawn[random.below(drawn.count)]
            let choice = random.below(1 << 20)
            let seconds = 0.5 + 3.5 * random.fraction()
            let hitsRing = random.below(2) == 1
            var step = min(max(1, last + 1, Int(place * Double(steps))), max(1, steps - 1))
            if kind.needsCheckpoint {
                if let next = checkpointSteps.first(where: { $0 >= step && $0 < steps }) {
                    step = next
                } else {
                    kind = .kill
                }
            }
            last = step
            events.append(
                ChaosEvent(
                    number: index + 1, kind: kind, step: step, choice: choice,
                    seconds: (seconds * 100).rounded() / 100, hitsRing: hitsRing))
        }
        self.events = events
    }
}

/// SplitMix64 (Steele, Lea and Flood, 2014): the same numbers everywhere.
private struct SeededNumbers {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var value = state
        value = (value ^ (value >> 30)) &* 0xBF58_476D_1CE4_E5B9
        value = (value ^ (value >> 27)) &* 0x94D0_49BB_1331_11EB
        return value ^ (value >> 31)
    }

    mutating func below(_ bound: Int) -> Int {
        Int(next().multipliedFullWidth(by: UInt64(bound)).high)
    }

    /// 0 <= f < 1.
    mutating func fraction() -> Double { Double(next() >> 11) / Double(1 << 53) }
}
