// A worker process outside its ring: how it joins, hears the coordinator, loses it and finds it
// again, as WorkerRun, CoordinatorLink and RingSwitch do. SimulatedWorker+Ring is what it does in a
// generation.

import Rendezvous
import WireFormat

final class SimulatedWorker {
    unowned let simulation: Simulation
    let slot: Int
    let number: Int
    private(set) var isAlive = true
    private(set) var isSuspended = false
    private var held: [() -> Void] = []

    // The way to the coordinator.
    private(set) var link: ControlLink?
    private var calling: ControlLink?
    var standing: WorkerStanding?
    /// The standing in the last hello.
    private var introduced: WorkerStanding?
    private var isPrepared = false
    private var isReading = false
    private var isExpelled = false
    private var hasEnded = false
    private(set) var stopRequested = false
    private(set) var pausedGeneration: UInt32 = 0
    private var haltedGeneration: UInt32 = 0
    private var leaveRequested = false
    var isAskedToLeave: Bool { leaveRequested }
    var missingRecord: RecordPosition?
    private var assignments: [(Assignment, SimulatedRing)] = []
    private(set) var restored: UInt64?
    /// What waits for the coordinator.
    var onLink: (() -> Void)?
    var onState: (() -> Void)?

    // The training loop.
    var step = 0
    var state: UInt64
    var hasWholeState = true
    var kept: [Int: (step: Int, value: UInt64)] = [:]
    /// By the parity of the step; nil is nothing of use.
    var reduced: [UInt64?] = [nil, nil]
    var history: [Int] = []
    var evaluated: Int?
    var pendingCount = 0
    var lastSending = 0
    var record = RecordPosition()
    var part: Part?
    let secondsPerReplica: Int

    /// Where it is in a generation.
    final class Part {
        let assignment: Assignment
        let ring: SimulatedRing
        var isComputing = false
        var failure: RingFailure?

        init(_ assignment: Assignment, _ ring: SimulatedRing) {
            self.assignment = assignment
            self.ring = ring
        }

        var range: Range<Int> { assignment.deal.ranges[assignment.rank] }
    }

    init(_ simulation: Simulation, slot: Int, number: Int) {
        self.simulation = simulation
        self.slot = slot
        self.number = number
        state = simulation.reference.states[0]
        secondsPerReplica = simulation.random.duration(1_000, 60_000)
        call()
        beat()
    }

    var name: String { "worker \(slot) (process \(number))" }

    // MARK: - The process

    /// Does something unless the process has ended; a suspended one does it when it goes on.
    func run(_ action: @escaping () -> Void) {
        guard isAlive else { return }
        if isSuspended { held.append(action) } else { action() }
    }

    func after(_ duration: Int, _ action: @escaping () -> Void) {
        simulation.after(duration) { [self] in run(action) }
    }

    func suspend(_ duration: Int) {
        guard isAlive, !isSuspended else { return }
        isSuspended = true
        simulation.after(duration) { [self] in
            isSuspended = false
            let waiting = held
            held = []
            for action in waiting { run(action) }
        }
    }

    func exit(_ code: Int32) {
        guard isAlive else { return }
        simulation.trace("\(name) ends with \(code)")
        isAlive = false
        if let part { part.ring.leave(part.assignment.rank, isAbrupt: code != 0) }
        link?.up(.closed)
        calling?.up(.closed)
        simulation.ended(self, code)
    }

    private func beat() {
        link?.up(.heartbeat(step: step))
        after(500_000) { [self] in beat() }
    }

    // MARK: - The coordinator

    private func call() {
        after(simulation.random.duration(1_000, 200_000)) { [self] in
            guard let coordinator = simulation.coordinator, !coordinator.isGone else {
                return call()
            }
            let link = coordinator.accept(self)
            calling = link
            introduced = standing
            link.up(
                .hello(
                    WorkerHello(
                        productVersion: "1.0", hostName: "host\(slot)",
                        processID: Int32(number + 1), slot: slot, dataPort: 4000,
                        arithmetic: "high", token: nil, key: "key\(number)", standing: standing)))
        }
    }

    func hear(_ message: SimulatedCoordinatorMessage, _ link: ControlLink) {
        guard link === self.link || link === calling else { return }
        switch message {
        case .welcome(let attached): welcome(attached, link)
        case .assignment(let assignment, let ring):
            assignments.append((assignment, ring))
            restored = nil
            awaitNext()
        case .state(let state):
            restored = state
            let then = onState
            onState = nil
            then?()
        case .halt(let generation): halt(generation)
        case .pause(let generation): pausedGeneration = max(pausedGeneration, generation)
        case .stop: stopRequested = true
        case .refused: exit(1)
        case .abort(let code): exit(code)
        case .end:
            hasEnded = true
            awaitNext()
        case .closed:
            self.link = nil
            calling = nil
            assignments = []
            pausedGeneration = 0
            // The wait for the files of a state does not survive the connection.
            if onState != nil { return exit(4) }
            call()
        }
    }

    private func welcome(_ attached: RecordPosition?, _ link: ControlLink) {
        self.link = link
        calling = nil
        missingRecord = attached
        if standing != nil, attached == nil {
            standing = nil
            isExpelled = true
            halt(haltedGeneration)
            shutDown()
        }
        // What was said while the answer was on its way.
        if let standing {
            if let ready = standing.ready, introduced?.ready == nil { link.up(.ready(ready)) }
            if let halted = standing.halted, introduced?.halted == nil { link.up(.halted(halted)) }
            if let finished = standing.finished, introduced?.finished == nil {
                link.up(.finished(finished))
            }
        }
        if isPrepared, standing == nil { link.up(.prepared) }
        if leaveRequested { link.up(.leaving(LeaveRequest(reason: "asked to"))) }
        if !isReading {
            isReading = true
            after(simulation.random.duration(20_000, 800_000)) { [self] in
                isPrepared = true
                if standing == nil { self.link?.up(.prepared) }
            }
        }
        let then = onLink
        onLink = nil
        then?()
    }

    var wasExpelled: Bool { isExpelled }

    func leave() {
        guard isAlive else { return }
        leaveRequested = true
        run { [self] in link?.up(.leaving(LeaveRequest(reason: "asked to"))) }
    }

    func cutLink() { link?.reset() }

    /// The last thing it has said arrives twice.
    func repeatLastReport() {
        run { [self] in
            if let halted = standing?.halted {
                link?.up(.halted(halted))
            } else if let ready = standing?.ready {
                link?.up(.ready(ready))
            } else {
                link?.up(.prepared)
            }
        }
    }

    /// Sends a report that is kept in the standing, and so sent again if it does not arrive.
    func sendKept(_ change: (inout WorkerStanding) -> Void, _ message: SimulatedWorkerMessage) {
        guard var standing else { return }
        change(&standing)
        self.standing = standing
        link?.up(message)
    }

    // MARK: - Generations

    func awaitNext() {
        guard part == nil else { return }
        if let (assignment, ring) = assignments.last {
            assignments = []
            isExpelled = false
            standing = WorkerStanding(generation: assignment.generation, rank: assignment.rank)
            takePart(assignment, ring)
        } else if hasEnded {
            exit(0)
        }
    }

    private func takePart(_ assignment: Assignment, _ ring: SimulatedRing) {
        if assignment.transfer == .none, assignment.startStep != step || !hasWholeState {
            step = 0
            state = simulation.reference.states[0]
            hasWholeState = true
            kept = [:]
            reduced = [nil, nil]
            history = []
        }
        part = Part(assignment, ring)
        ring.connect(assignment.rank) { [self] in enter() }
        if haltedGeneration >= assignment.generation { shutDown() }
    }

    private func halt(_ generation: UInt32) {
        haltedGeneration = max(haltedGeneration, generation)
        if let part, part.assignment.generation <= generation { shutDown() }
    }

    /// Ends what it does on the ring; a computation that is under way ends first.
    private func shutDown() {
        guard let part else { return }
        ringFailed(part.ring, RingFailure(reason: "shut down", suspect: nil))
    }
}
