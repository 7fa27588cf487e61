// Time and chance of a simulation: both come from the seed alone, so that a seed replays exactly.

import Rendezvous

/// SplitMix64: the same numbers from the same seed on every machine.
struct SeededGenerator: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) { state = seed &* 0x9E37_79B9_7F4A_7C15 &+ 1 }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        return mixed(state)
    }

    mutating func chance(_ probability: Double) -> Bool {
        Double.random(in: 0..<1, using: &self) < probability
    }

    /// Microseconds, the short ones as likely as the long ones.
    mutating func duration(_ shortest: Int, _ longest: Int) -> Int {
        let ratio = Double.random(in: 0...1, using: &self)
        return shortest + Int(Double(longest - shortest) * ratio * ratio)
    }
}

/// A hash that depends on every bit, and on the order of what went in.
func mixed(_ value: UInt64, _ more: UInt64 = 0) -> UInt64 {
    var result = value &+ (more ^ 0x2545_F491_4F6C_DD1D) &* 0x9E37_79B9_7F4A_7C15
    result = (result ^ (result >> 30)) &* 0xBF58_476D_1CE4_E5B9
    result = (result ^ (result >> 27)) &* 0x94D0_49BB_1331_11EB
    return result ^ (result >> 31)
}

/// What is to happen when, in microseconds; of things at one instant the one asked for first comes
/// first.
struct Agenda {
    private struct Entry {
        let time: Int
        let number: Int
        let action: () -> Void

        func isBefore(_ other: Entry) -> Bool {
            (time, number) < (other.time, other.number)
        }
    }

    /// A binary heap.
    private var entries: [Entry] = []
    private var lastNumber = 0
    private(set) var now = 0

    mutating func add(at time: Int, _ action: @escaping () -> Void) {
        lastNumber += 1
        entries.append(Entry(time: max(time, now), number: lastNumber, action: action))
        var child = entries.count - 1
        while child > 0, entries[child].isBefore(entries[(child - 1) / 2]) {
            entries.swapAt(child, (child - 1) / 2)
            child = (child - 1) / 2
        }
    }

    /// Takes the next thing and moves the time to it.
    mutating func next() -> (() -> Void)? {
        guard let first = entries.first else { return nil }
        let last = entries.removeLast()
        if !entries.isEmpty {
            entries[0] = last
            var parent = 0
            while true {
                var least = parent
                for child in [2 * parent + 1, 2 * parent + 2]
                where child < entries.count && entries[child].isBefore(entries[least]) {
                    least = child
                }
                if least == parent { break }
                entries.swapAt(parent, least)
                parent = least
            }
        }
        now = first.time
        return first.action
    }
}

/// What an undisturbed run computes: hashes stand for weights and gradients.
struct Reference {
    /// By the number of committed steps.
    private(set) var states: [UInt64]

    init(seed: UInt64, steps: Int, replicas: Int) {
        states = [mixed(seed)]
        for step in 0..<steps {
            let gradients = (0..<replicas).map {
                Self.gradient(state: states[step], step: step, replica: $0)
            }
            states.append(Self.committed(states[step], Self.sum(gradients)))
        }
    }

    static func gradient(state: UInt64, step: Int, replica: Int) -> UInt64 {
        mixed(mixed(state, UInt64(step)), UInt64(replica))
    }

    /// Of all replicas, in their order.
    static func sum(_ gradients: [UInt64]) -> UInt64 { gradients.reduce(0) { mixed($0, $1) } }

    static func committed(_ state: UInt64, _ reduced: UInt64) -> UInt64 { mixed(state, reduced) }
}
