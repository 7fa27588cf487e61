// The coordinator's thread: one poll over the listener, every connection and the wake-up signal.
//
// The order within a round matters. First everything that has come is read and turned into events,
// then the clock's event is handled: so a coordinator that was itself held up (a slow disk, a
// suspended machine) finds its workers' heartbeats before it judges their silence. Events wait in a
// queue and are handled one after another, because performing an action may itself cause an event.
//
// Strangers (CoordinatorLoop+Peers.swift) are distinguished from workers by their first frame. They
// are bounded in number and in time, and nothing they send reaches the membership.

import ExitCodes
import Foundation
import Transport
import WireFormat

/// The state of one running coordinator. Used by one thread.
final class CoordinatorLoop {
    /// How long a worker that was turned away may take to read why.
    static let leavingTimeout = Duration.seconds(2)
    /// Waking up so much later than asked for is more than a busy machine's delay.
    private static let oversleeping = Duration.milliseconds(500)
    /// The pause after the system could not accept a connection, such as for want of descriptors.
    private static let acceptPause = Duration.milliseconds(100)
    /// Connections accepted in one round, so that a flood cannot starve the members.
    private static let acceptLimit = 16

    let settings: CoordinatorSettings
    let delegate: any CoordinatorDelegate
    private let listener: Listener
    private let wake: WakeSignal
    private let takeRequests: () -> [Membership.Event]

    var membership: Membership
    var peers: [MemberID: CoordinatorPeer] = [:]
    var events: [Membership.Event] = []
    var strangerLog = StrangerLog()
    /// How far the run has been recorded.
    var record: RecordPosition
    var stepRecord = StepRecord()
    var stalls: StallWatch
    /// Generations with their deals after each change, by the change's number.
    var announced: [Int: GenerationDescription] = [:]
    /// The change by which the last recorded step was computed.
    var recordedDeal = 0
    /// Those that have joined and were not let go.
    private var workers: [MemberID: WorkerDescription] = [:]
    private var lastNumber = 0
    private var nextHeartbeat: ContinuousClock.Instant
    private var acceptAgain: ContinuousClock.Instant?
    private var outcome: RunOutcome?

    init(
        listener: Listener, settings: CoordinatorSettings, delegate: any CoordinatorDelegate,
        wake: WakeSignal, takeRequests: @escaping () -> [Membership.Event]
    ) {
        self.listener = listener
        self.settings = settings
        self.delegate = delegate
        self.wake = wake
        self.takeRequests = takeRequests
        let now = ContinuousClock.now
        let start = settings.membership.startStep
        if let (journal, position) = settings.takeover {
            membership = Membership(settings: settings.membership, journal: journal, now: now)
            record = position
            for change in journal.changes ?? [] {
                guard var generation = membership.generation else { continue }
                generation.deal = change.deal
                announced[change.number] = generation
            }
        } else {
            membership = Membership(settings: settings.membership, now: now)
            record = RecordPosition(
                reportedStep: start, evaluatedStep: start, checkpointStep: start)
        }
        stalls = StallWatch(heartbeatInterval: settings.heartbeatInterval, now: now)
        nextHeartbeat = now + settings.heartbeatInterval
    }

    func run() -> RunOutcome {
        delegate.coordinatorListening(at: listener.localAddress)
        defer {
            for peer in peers.values { peer.channel.link.close() }
        }
        while true {
            do {
                try waitAndRead()
            } catch {
                // Without poll no message can be sent; the workers notice the closing connections.
                return .failed(exitCode: .failed, message: "the coordinator failed: \(error)")
            }
            events += takeRequests()
            events.append(.tick)
            handleEvents()
            watchForStalls()
            recordBehindGaps()
            sendHeartbeats()
            dropOverdue()
            for id in peers.keys { send(to: id) }
            handleEvents()
            if let outcome { return outcome }
        }
    }

    // MARK: - Waiting

    private func waitAndRead() throws(TransportError) {
        var poller = Poller()
        let wakeSlot = poller.add(wake.pollDescriptor, .read)
        if let instant = acceptAgain, instant <= ContinuousClock.now { acceptAgain = nil }
        let listenerSlot = acceptAgain == nil ? poller.add(listener.pollDescriptor, .read) : nil
        var slots: [(MemberID, Int)] = []
        for (id, peer) in peers {
            slots.append((id, peer.channel.add(to: &poller)))
        }
        let planned = nextInstant()
        try poller.wait(until: Deadline(planned))
        // This process, perhaps with its whole machine, was suspended: workers that were silent
        // meanwhile may have been suspended too.
        if ContinuousClock.now > planned + Self.oversleeping { events.append(.overslept) }
        if !poller.readiness(at: wakeSlot).isEmpty { wake.drain() }
        for (id, slot) in slots
        where !poller.readiness(at: slot).isEmpty || peers[id]?.channel.mayHoldMore == true {
            receive(from: id)
        }
        if let listenerSlot, !poller.readiness(at: listenerSlot).isEmpty { accept() }
    }

    private func nextInstant() -> ContinuousClock.Instant {
        var instants = peers.values.compactMap(\.deadline)
        instants.append(nextHeartbeat)
        if let deadline = membership.nextDeadline { instants.append(deadline) }
        if let acceptAgain { instants.append(acceptAgain) }
        if peers.values.contains(where: \.channel.mayHoldMore) { instants.append(.now) }
        return instants.min() ?? nextHeartbeat
    }

    private func accept() {
        for _ in 0..<Self.acceptLimit {
            do {
                guard let connection = try listener.tryAccept() else { return }
                guard let link = try? settings.links.open(connection, as: .called) else { continue }
                lastNumber += 1
                peers[MemberID(lastNumber)] = CoordinatorPeer(
                    link: link,
                    standing: .stranger(until: ContinuousClock.now + settings.handshakeTimeout))
                evictStrangers()
            } catch {
                // The listener stays readable; without a pause this would turn into a busy loop.
                acceptAgain = ContinuousClock.now + Self.acceptPause
                return
            }
        }
    }

    private func sendHeartbeats() {
        let now = ContinuousClock.now
        guard now >= nextHeartbeat else { return }
        nextHeartbeat = now + settings.heartbeatInterval
        for (id, peer) in peers where peer.standing == .member && !peer.channel.wantsToSend {
            enqueue(.heartbeat, to: id)
        }
    }

    // MARK: - Events and actions

    private func handleEvents() {
        while !events.isEmpty {
            let batch = events
            events = []
            for event in batch {
                for action in membership.handle(event, now: ContinuousClock.now) {
                    perform(action)
                }
            }
        }
    }

    private func perform(_ action: Membership.Action) {
        switch action {
        case .welcome(let id, let worker):
            enqueue(.welcome(settings.runDescription), to: id)
            joined(id, worker)
        case .attach(let id, let worker):
            var description = settings.runDescription
            description.attachedRecord = record
            enqueue(.welcome(description), to: id)
            joined(id, worker)
        case .refuse(let id, let refusal):
            enqueue(.refused(refusal), to: id)
            letGo(id)
        case .restart(let id, let arithmetic):
            enqueue(.restart(ArithmeticRestart(arithmetic: arithmetic)), to: id)
            letGo(id)
        case .openGeneration(let generation, let members):
            open(generation, members)
        case .running(let generation, let pause):
            stalls.restart(now: ContinuousClock.now)
            delegate.generationRunning(generation, pause: pause)
        case .redeal(let members, let change):
            announce(change, to: members)
        case .halt(let members, let generation):
            for id in members { enqueue(.halt(HaltRequest(generation: generation)), to: id) }
        case .pause(let members, let generation):
            for id in members { enqueue(.pause(HaltRequest(generation: generation)), to: id) }
        case .stop(let members, let reason):
            for id in members { enqueue(.stop(StopRequest(reason: reason)), to: id) }
        case .end(let members):
            // With the outcome settled, no coordinator is to take over from this one.
            if case .ending = membership.phase { delegate.runIsEnding() }
            for id in members { enqueue(.end, to: id) }
            forget(members)
        case .abort(let members, let report):
            for id in members { enqueue(.abort(report), to: id) }
            forget(members)
        case .drop(let id):
            drop(id)
            if let worker = workers.removeValue(forKey: id) { delegate.workerLost(worker) }
        case .note(let line):
            delegate.log(line)
        case .conclude(let outcome):
            self.outcome = outcome
        }
    }

    private func joined(_ id: MemberID, _ worker: WorkerDescription) {
        workers[id] = worker
        delegate.workerJoined(worker)
    }

    /// What becomes of their connections is no loss any more.
    private func forget(_ members: [MemberID]) {
        for id in members { workers[id] = nil }
    }

    /// Sends every member its assignment, and the root the state to restore.
    private func open(_ generation: GenerationDescription, _ members: [MemberID]) {
        record.rewind(to: generation.startStep)
        stepRecord.rewind(to: generation.startStep)
        do {
            // Before a member learns of the generation: a coordinator that takes over must know it.
            try delegate.journal(journal(of: generation, members))
        } catch {
            events.append(.stopRequested(reason: "\(error)"))
        }
        delegate.generationOpened(generation)
        let endpoints = members.compactMap { peers[$0]?.endpoint }
        guard endpoints.count == members.count else {
            // A connection broke between the welcome and now; its loss is on its way as an event.
            return
        }
        for (rank, id) in members.enumerated() {
            let addresses = RingAddresses.addresses(of: endpoints, seenFrom: endpoints[rank])
            let stateFollows = generation.restores && rank == generation.root
            enqueue(
                .assignment(
                    Assignment(
                        generation: generation.number, rank: rank, deal: generation.deal,
                        addresses: addresses.map(\.description), startStep: generation.startStep,
                        stopAfterStep: settings.stopAfterStep, transfer: generation.transfer,
                        root: generation.root, stateFollows: stateFollows, record: record,
                        arithmetic: generation.arithmetic)), to: id)
            if stateFollows { sendState(of: generation.startStep, to: id) }
        }
    }

    /// Sends another deal, after it was kept for a coordinator that takes over.
    private func announce(_ change: DealChange, to members: [MemberID]) {
        guard var generation = membership.generation else { return }
        generation.deal = change.deal
        announced[change.number] = generation
        var journal = journal(of: generation, members)
        journal.deal = membership.generation?.deal ?? change.deal
        journal.changes = announced.filter { $0.value.number == generation.number }
            .map { .init(number: $0.key, deal: $0.value.deal) }.sorted { $0.number < $1.number }
        do {
            try delegate.journal(journal)
        } catch {
            events.append(.stopRequested(reason: "\(error)"))
        }
        for id in members { enqueue(.redeal(change), to: id) }
    }

    private func journal(
        of generation: GenerationDescription, _ members: [MemberID]
    ) -> MembershipJournal {
        MembershipJournal(
            runToken: settings.runToken, generation: generation.number, deal: generation.deal,
            startStep: generation.startStep, arithmetic: generation.arithmetic,
            members: zip(members, generation.workers).map { id, worker in
                .init(
                    key: membership.members[id]?.hello.key ?? "none", slot: worker.slot,
                    hostName: worker.hostName, processID: worker.processID)
            })
    }

    private func sendState(of step: Int, to id: MemberID) {
        do {
            let files =
                step == settings.membership.startStep && !settings.resumeState.isEmpty
                ? settings.resumeState : try delegate.stateToRestore(step: step)
            peers[id]?.download = try FileTransfer(step: step, isFinal: false, files: files)
        } catch {
            events.append(
                .runFailed(
                    exitCode: .failed, message: "cannot restore the state of step \(step): \(error)"
                ))
        }
    }
}

extension RecordPosition {
    /// Forgets what lies behind a step: it will be computed, and come, once more.
    fileprivate mutating func rewind(to step: Int) {
        reportedStep = min(reportedStep, step)
        evaluatedStep = min(evaluatedStep, step)
        checkpointStep = min(checkpointStep, step)
    }
}
