// A coordinator process: the real membership behind a simulated network, with what CoordinatorLoop
// does around it.

import Rendezvous
import WireFormat

/// What a worker says.
enum SimulatedWorkerMessage {
    case hello(WorkerHello)
    case prepared
    case ready(ReadyReport)
    case halted(HaltReport)
    case leaving(LeaveRequest)
    case finished(FinishedReport)
    case heartbeat(step: Int)
    case steps([Int])
    case evaluation(step: Int)
    case checkpoint(step: Int, state: UInt64)
    case closed
}

/// What the coordinator says.
enum SimulatedCoordinatorMessage {
    case welcome(RecordPosition?)
    case assignment(Assignment, SimulatedRing)
    case state(UInt64)
    case halt(UInt32)
    case pause(UInt32)
    case stop
    case refused
    case end
    case abort(Int32)
    case closed
}

/// One connection between a worker and a coordinator: messages arrive in order or, once it is
/// closed or reset, not at all.
final class ControlLink {
    let worker: SimulatedWorker
    let coordinator: SimulatedCoordinator
    let id: MemberID
    private var isOpenAtWorker = true
    private var isOpenAtCoordinator = true
    private var lastUp = 0
    private var lastDown = 0

    init(_ worker: SimulatedWorker, _ coordinator: SimulatedCoordinator, _ id: MemberID) {
        self.worker = worker
        self.coordinator = coordinator
        self.id = id
    }

    private var simulation: Simulation { coordinator.simulation }

    func up(_ message: SimulatedWorkerMessage) {
        guard isOpenAtWorker else { return }
        if case .closed = message { isOpenAtWorker = false }
        lastUp = max(lastUp, simulation.now + simulation.controlDelay(worker.slot))
        simulation.at(lastUp) { [self] in arriveUp(message) }
    }

    private func arriveUp(_ message: SimulatedWorkerMessage) {
        guard isOpenAtCoordinator else { return }
        if case .closed = message { isOpenAtCoordinator = false }
        coordinator.receive(message, self)
    }

    func down(_ message: SimulatedCoordinatorMessage) {
        guard isOpenAtCoordinator else { return }
        if case .closed = message { isOpenAtCoordinator = false }
        lastDown = max(lastDown, simulation.now + simulation.controlDelay(worker.slot))
        simulation.at(lastDown) { [self] in
            worker.run { [self] in
                guard isOpenAtWorker else { return }
                if case .closed = message { isOpenAtWorker = false }
                worker.hear(message, self)
            }
        }
    }

    /// Both ends find the connection broken; what is on its way is lost.
    func reset() {
        simulation.after(simulation.random.duration(10, 5_000)) { [self] in arriveUp(.closed) }
        simulation.after(simulation.random.duration(10, 5_000)) { [self] in
            worker.run { [self] in
                guard isOpenAtWorker else { return }
                isOpenAtWorker = false
                worker.hear(.closed, self)
            }
        }
    }
}

final class SimulatedCoordinator {
    unowned let simulation: Simulation
    private(set) var membership: Membership
    private var record: RecordPosition
    private var links: [Int: ControlLink] = [:]
    private var keys: [Int: String] = [:]
    /// The last reports of workers that have left a ring.
    private var halts: [Int: HaltReport] = [:]
    private var events: [Membership.Event] = []
    private var isHandling = false
    private var isAsleep = false
    private(set) var isGone = false
    private var inbox: [() -> Void] = []
    private var lastNumber = 0
    private var nextTick: Int?

    init(_ simulation: Simulation) {
        self.simulation = simulation
        let saved = simulation.checkpoint?.step ?? 0
        var settings = simulation.settings
        settings.startStep = saved
        if let journal = simulation.journal {
            membership = Membership(settings: settings, journal: journal, now: simulation.instant)
            record = RecordPosition(
                reportedStep: simulation.recordedStep, evaluatedStep: simulation.evaluatedStep,
                checkpointStep: saved)
        } else {
            membership = Membership(settings: settings, now: simulation.instant)
            record = RecordPosition(
                reportedStep: saved, evaluatedStep: saved, checkpointStep: saved)
        }
        scheduleTick()
    }

    // MARK: - Connections

    func accept(_ worker: SimulatedWorker) -> ControlLink {
        lastNumber += 1
        let link = ControlLink(worker, self, MemberID(lastNumber))
        links[lastNumber] = link
        return link
    }

    func die() {
        isGone = true
        for number in links.keys.sorted() { links[number]?.down(.closed) }
    }

    /// Does nothing for a while, as its whole machine may.
    func sleep(_ duration: Int) {
        guard !isAsleep, !isGone else { return }
        isAsleep = true
        simulation.after(duration) { [self] in
            isAsleep = false
            guard !isGone else { return }
            handle(.overslept)
            let waiting = inbox
            inbox = []
            for action in waiting { action() }
            handle(.tick)
        }
    }

    private func awake(_ action: @escaping () -> Void) {
        if isGone { return }
        if isAsleep { inbox.append(action) } else { action() }
    }

    func isMember(_ worker: SimulatedWorker) -> Bool {
        guard let generation = membership.generation, !isGone else { return false }
        return generation.workers.indices.contains { rank in
            membership.member(withRank: rank).map { links[$0.number]?.worker === worker } ?? false
        }
    }

    private func takesPart(_ id: MemberID) -> Bool {
        switch membership.phase {
        case .gathering, .waiting, .ending, .over: return false
        case .attaching, .preparing, .running, .regrouping: break
        }
        return membership.generation?.workers.indices.contains {
            membership.member(withRank: $0) == id
        } ?? false
    }

    func receive(_ message: SimulatedWorkerMessage, _ link: ControlLink) {
        awake { [self] in take(message, link) }
    }

    private func take(_ message: SimulatedWorkerMessage, _ link: ControlLink) {
        let id = link.id
        guard links[id.number] === link else { return }
        handle(.heard(id, nil))
        switch message {
        case .hello(let hello):
            keys[id.number] = hello.key
            handle(.joined(id, hello))
        case .prepared: handle(.prepared(id))
        case .ready(let report): handle(.ready(id, report))
        case .halted(let report):
            halts[id.number] = report
            handle(.halted(id, report))
        case .leaving(let request): handle(.leaving(id, request))
        case .finished(let report): handle(.finished(id, report))
        case .heartbeat(let step): handle(.heard(id, WorkerHeartbeat(step: step, phase: "step")))
        case .steps(let steps): takeSteps(steps, id)
        case .evaluation(let step):
            guard takesPart(id), step > record.evaluatedStep else { return }
            record.evaluatedStep = step
            simulation.evaluatedStep = step
        case .checkpoint(let step, let state):
            guard takesPart(id) else { return }
            simulation.save(step: step, state: state)
            record.checkpointStep = max(record.checkpointStep, step)
            handle(.saved(step: step))
        case .closed:
            links[id.number] = nil
            handle(.lost(id, .connectionClosed))
        }
    }

    private func takeSteps(_ steps: [Int], _ id: MemberID) {
        guard takesPart(id) else { return }
        let new = steps.filter { $0 > record.reportedStep }
        guard let first = new.first, let last = new.last else { return }
        if new != Array(first...last) || first != record.reportedStep + 1 {
            simulation.recordGaps += 1
            simulation.trace("record: \(new) after \(record.reportedStep)")
        }
        record.reportedStep = last
        simulation.recordedStep = last
    }

    // MARK: - The membership

    func handle(_ event: Membership.Event) {
        guard !isGone else { return }
        events.append(event)
        guard !isHandling else { return }
        isHandling = true
        while !events.isEmpty {
            let event = events.removeFirst()
            let before = "\(membership.phase)"
            let actions = membership.handle(event, now: simulation.instant)
            if !actions.isEmpty || "\(membership.phase)" != before {
                simulation.trace("\(event) -> \(membership.phase)")
            }
            for action in actions { perform(action) }
        }
        isHandling = false
        scheduleTick()
    }

    private func scheduleTick() {
        guard !isGone, let deadline = membership.nextDeadline else { return }
        let time = max(simulation.now, simulation.microseconds(deadline)) + 1
        if let nextTick, nextTick <= time, nextTick > simulation.now { return }
        nextTick = time
        simulation.at(time) { [self] in
            guard nextTick == time else { return }
            nextTick = nil
            awake { [self] in handle(.tick) }
        }
    }

    private func perform(_ action: Membership.Action) {
        simulation.trace("  \(action)")
        func send(_ ids: [MemberID], _ message: SimulatedCoordinatorMessage) {
            for id in ids { links[id.number]?.down(message) }
        }
        switch action {
        case .welcome(let id, _): send([id], .welcome(nil))
        case .attach(let id, _): send([id], .welcome(record))
        case .refuse(let id, _):
            send([id], .refused)
            links.removeValue(forKey: id.number)?.down(.closed)
        case .restart: simulation.violation("asked for another arithmetic")
        case .openGeneration(let generation, let members): open(generation, members)
        case .running(let generation, _): simulation.running(generation)
        case .halt(let ids, let generation): send(ids, .halt(generation))
        case .pause(let ids, let generation): send(ids, .pause(generation))
        case .stop(let ids, _): send(ids, .stop)
        case .end(let ids): send(ids, .end)
        case .abort(let ids, let report): send(ids, .abort(report.exitCode.rawValue))
        case .drop(let id): links.removeValue(forKey: id.number)?.down(.closed)
        // Simulated workers report no pace, so their deal never changes.
        case .note, .redeal: break
        case .conclude(let outcome):
            isGone = true
            simulation.end(outcome)
        }
    }

    private func open(_ generation: GenerationDescription, _ members: [MemberID]) {
        for (number, report) in halts
        where links[number] != nil && report.generation + 1 == generation.number
            && report.hasState && report.step > generation.startStep
        {
            simulation.violation(
                "generation \(generation.number) goes back to step \(generation.startStep), "
                    + "a worker has the state of step \(report.step)")
        }
        record.reportedStep = min(record.reportedStep, generation.startStep)
        record.evaluatedStep = min(record.evaluatedStep, generation.startStep)
        record.checkpointStep = min(record.checkpointStep, generation.startStep)
        simulation.recordedStep = min(simulation.recordedStep, generation.startStep)
        simulation.evaluatedStep = min(simulation.evaluatedStep, generation.startStep)
        simulation.journal = MembershipJournal(
            runToken: "token", generation: generation.number, deal: generation.deal,
            startStep: generation.startStep, arithmetic: generation.arithmetic,
            members: zip(members, generation.workers).map { id, worker in
                .init(
                    key: keys[id.number] ?? "none", slot: worker.slot, hostName: worker.hostName,
                    processID: worker.processID)
            })
        simulation.opened(generation)
        let present = members.compactMap { links[$0.number] }
        guard present.count == members.count else { return }
        let ring = SimulatedRing(
            generation: generation.number, members: present.map(\.worker), simulation)
        simulation.ring = ring
        for (rank, link) in present.enumerated() {
            let stateFollows = generation.restores && rank == generation.root
            let assignment = Assignment(
                generation: generation.number, rank: rank, deal: generation.deal, addresses: [],
                startStep: generation.startStep, transfer: generation.transfer,
                root: generation.root, stateFollows: stateFollows, record: record,
                arithmetic: generation.arithmetic)
            link.down(.assignment(assignment, ring))
            guard stateFollows else { continue }
            guard let checkpoint = simulation.checkpoint, checkpoint.step == generation.startStep
            else {
                handle(
                    .runFailed(
                        exitCode: .failed, message: "no checkpoint of step \(generation.startStep)")
                )
                return
            }
            link.down(.state(checkpoint.state))
        }
    }
}
