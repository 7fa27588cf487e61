// A whole run in simulated time: a coordinator with the real membership, workers that follow the
// protocol of the real ones, a network and processes that fail as a seed says, and what must hold
// in spite of it.

import Rendezvous
import WireFormat

final class Simulation {
    let seed: UInt64
    var random: SeededGenerator
    let totalSteps: Int
    let checkpointInterval: Int
    let reference: Reference
    let settings: MembershipSettings

    private var agenda = Agenda()
    private static let start = ContinuousClock.now
    private var origin: ContinuousClock.Instant { Self.start }
    private(set) var coordinator: SimulatedCoordinator?
    private(set) var workers: [SimulatedWorker] = []
    /// The ring of the open generation.
    var ring: SimulatedRing?
    private(set) var outcome: RunOutcome?
    private(set) var violations: [String] = []

    // The run's folder.
    var journal: MembershipJournal?
    private(set) var checkpoint: (step: Int, state: UInt64)?
    var recordedStep = 0
    var evaluatedStep = 0

    // The network: until when hosts are apart, by host for the control links, by pair for the ring.
    var controlApartUntil: [Int: Int] = [:]
    var ringApartUntil: [Int: Int] = [:]

    // What happened.
    var recordGaps = 0
    var computedCount = 0
    private(set) var generationCount = 0
    var lastFault = 0
    var connectionFaults: [Int: Int] = [:]
    private var restarts: [Int: Int] = [:]
    /// Faults that wait for the next generation to open.
    var ambushes: [() -> Void] = []
    let isTracing: Bool
    private(set) var lines: [String] = []

    /// Times that a healthy system stays far below, after the last thing that went wrong.
    static let patience = 300_000_000

    init(seed: UInt64, isTracing: Bool = false) {
        self.seed = seed
        self.isTracing = isTracing
        var random = SeededGenerator(seed: seed)
        let replicas = Int.random(in: 1...8, using: &random)
        let workerCount = Int.random(in: 1...min(5, replicas), using: &random)
        totalSteps = Int.random(in: 3...120, using: &random)
        checkpointInterval = Int.random(in: 2...25, using: &random)
        reference = Reference(seed: seed, steps: totalSteps, replicas: replicas)
        settings = MembershipSettings(
            workerCount: workerCount, replicaCount: replicas, productVersion: "1.0",
            arithmeticLevels: ["high"], startTimeout: .seconds(120),
            heartbeatTimeout: .milliseconds(1_500), haltTimeout: .seconds(30))
        self.random = random
    }

    /// Runs to the end; the answer is what went wrong.
    func run() -> [String] {
        coordinator = SimulatedCoordinator(self)
        for slot in 0..<settings.workerCount { start(slot) }
        scheduleFaults()
        while outcome == nil, violations.isEmpty {
            guard let action = agenda.next() else {
                violation("nothing happens any more")
                break
            }
            if now > lastFault + Self.patience {
                violation("the run hangs")
                break
            }
            action()
        }
        if let outcome { judge(outcome) }
        return violations
    }

    // MARK: - Time

    var now: Int { agenda.now }
    var instant: ContinuousClock.Instant { origin + .microseconds(now) }

    func microseconds(_ instant: ContinuousClock.Instant) -> Int {
        Int(((instant - origin) / .microseconds(1)).rounded(.up))
    }

    func at(_ time: Int, _ action: @escaping () -> Void) { agenda.add(at: time, action) }
    func after(_ duration: Int, _ action: @escaping () -> Void) { at(now + duration, action) }

    func trace(_ line: @autoclosure () -> String) {
        if isTracing { lines.append("\(Double(now) / 1e6) \(line())") }
    }

    // MARK: - Network

    func controlDelay(_ slot: Int) -> Int {
        max(0, (controlApartUntil[slot] ?? 0) - now) + random.duration(50, 20_000)
    }

    func ringDelay(_ first: Int, _ second: Int) -> Int {
        let pair = min(first, second) * 1_000 + max(first, second)
        return max(0, (ringApartUntil[pair] ?? 0) - now) + random.duration(20, 3_000)
    }

    // MARK: - Processes

    func start(_ slot: Int) {
        workers.append(SimulatedWorker(self, slot: slot, number: workers.count))
    }

    func living() -> [SimulatedWorker] { workers.filter(\.isAlive) }

    /// As `rondo train` does: who is lost is started again, after pauses that grow.
    func ended(_ worker: SimulatedWorker, _ code: Int32) {
        guard code != 0 else { return }
        let count = restarts[worker.slot] ?? 0
        restarts[worker.slot] = count + 1
        let pause = count == 0 ? 0 : min(4_000_000, 250_000 << min(count, 8))
        after(pause + random.duration(10_000, 500_000)) { [self] in
            if outcome == nil { start(worker.slot) }
        }
    }

    func killCoordinator(awayFor duration: Int) {
        guard let victim = coordinator, !victim.isGone else { return }
        // Once the workers know that all is done, no worker is left that could come back to
        // another.
        if case .ending = victim.membership.phase { return }
        victim.die()
        after(duration) { [self] in coordinator = SimulatedCoordinator(self) }
    }

    func save(step: Int, state: UInt64) {
        if state != reference.states[step] { violation("a wrong state of step \(step) is saved") }
        if step >= checkpoint?.step ?? 0 { checkpoint = (step, state) }
    }

    // MARK: - What must hold

    func violation(_ message: String) {
        trace("VIOLATION: \(message)")
        violations.append("\(Double(now) / 1e6) s: \(message)")
    }

    func opened(_ generation: GenerationDescription) {
        generationCount += 1
        if generationCount > 500 { violation("more than 500 generations") }
        if generation.startStep < checkpoint?.step ?? 0 {
            violation("generation \(generation.number) goes back behind the checkpoint")
        }
        let waiting = ambushes
        ambushes = []
        for ambush in waiting { after(random.duration(100, 150_000), ambush) }
    }

    func running(_ generation: GenerationDescription) {}

    /// Each replica once, in order, each from the right state.
    func check(
        _ contributions: [SimulatedRing.Contribution], at step: Int, in ring: SimulatedRing
    ) {
        let gradients = contributions.flatMap(\.gradients)
        if gradients.map(\.replica) != Array(0..<settings.replicaCount) {
            violation("step \(step) of generation \(ring.generation) sums \(gradients)")
        }
        for (replica, value) in gradients
        where value
            != Reference.gradient(state: reference.states[step], step: step, replica: replica)
        {
            violation("step \(step): the gradient of replica \(replica) is wrong")
        }
    }

    func committed(_ worker: SimulatedWorker, _ ring: SimulatedRing) {
        if worker.state != reference.states[worker.step] {
            violation("\(worker.name) has a wrong state after step \(worker.step)")
        }
        if let open = coordinator?.membership.generation?.number, open > ring.generation,
            coordinator?.isMember(worker) == true
        {
            violation("\(worker.name) commits in generation \(ring.generation), open is \(open)")
        }
    }

    func end(_ outcome: RunOutcome) { self.outcome = outcome }

    private func judge(_ outcome: RunOutcome) {
        trace("outcome: \(outcome)")
        switch outcome {
        case .finished(let report):
            if report.step != totalSteps { violation("finished at step \(report.step)") }
            judge(report)
        case .stopped(let report):
            if !isStopAllowed { violation("stopped without a request") }
            judge(report)
        case .failed(let code, let message):
            // A slot that is hit again and again may be given up.
            let isGivenUp =
                message.contains(" has lost 3 workers at step ")
                && (connectionFaults.values.max() ?? 0) >= 3
            let isStopped = code == .interrupted && isStopAllowed
            if !isGivenUp, !isStopped { violation("failed with \(code): \(message)") }
        }
    }

    private func judge(_ report: FinishedReport) {
        if report.weightsDigest != "\(reference.states[report.step])" {
            violation("the run ends with a wrong state")
        }
        if checkpoint?.step != report.step {
            violation("the last state is not saved: \(String(describing: checkpoint))")
        }
        if recordedStep != report.step { recordGaps += 1 }
    }

    var isStopAllowed = false
}
