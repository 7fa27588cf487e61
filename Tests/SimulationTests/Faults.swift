// What goes wrong in a simulated run, and when: drawn from the seed.

import Rendezvous

extension Simulation {
    func scheduleFaults() {
        let count = Int.random(in: 0...14, using: &random)
        let horizon = random.duration(300_000, 8_000_000)
        for _ in 0..<count {
            let time = Int.random(in: 0...horizon, using: &random)
            lastFault = max(lastFault, time)
            let fault = drawnFault()
            if random.chance(0.45) {
                // Right after a generation has opened, when the ring and the state are on their
                // way.
                at(time) { [self] in ambushes.append { [self] in happen(fault) } }
            } else {
                at(time) { [self] in happen(fault) }
            }
        }
    }

    enum Fault: CaseIterable {
        case crash, crashAll, crashSome, crashAndSuspend, suspend, suspendLong, cutControl, cutRing
        case partControl, partRing, killCoordinator, coordinatorSleeps, join, leave, stop,
            repeatWord
    }

    private func drawnFault() -> Fault {
        while true {
            let fault = Fault.allCases.randomElement(using: &random) ?? .crash
            if fault == .stop, !random.chance(0.1) { continue }
            if fault == .crashAll, !random.chance(0.5) { continue }
            return fault
        }
    }

    private func happen(_ fault: Fault) {
        guard outcome == nil else { return }
        lastFault = max(lastFault, now)
        let present = living()
        guard let victim = present.randomElement(using: &random) else { return }
        trace("FAULT \(fault), \(victim.name)")
        switch fault {
        case .crash: crash([victim])
        case .crashAll: crash(present)
        case .crashSome: crash(present.filter { _ in random.chance(0.5) })
        case .crashAndSuspend:
            // One misses what another, soon to be lost, has given to a third.
            for other in present where other !== victim && random.chance(0.5) {
                suspend(other, random.duration(10_000, 500_000))
            }
            after(random.duration(1_000, 100_000)) { [self] in crash([victim]) }
        case .suspend: suspend(victim, random.duration(10_000, 1_800_000))
        case .suspendLong: suspend(victim, random.duration(1_000_000, 15_000_000))
        case .cutControl:
            connectionFaults[victim.slot, default: 0] += 1
            victim.cutLink()
        case .cutRing:
            if let ring { ring.cut(after: Int.random(in: 0..<ring.workers.count, using: &random)) }
        case .partControl: part(victim, random.duration(50_000, 12_000_000))
        case .partRing: partRing(random.duration(50_000, 25_000_000))
        case .killCoordinator:
            let duration = random.duration(50_000, 6_000_000)
            lastFault = max(lastFault, now + duration)
            killCoordinator(awayFor: duration)
        case .coordinatorSleeps:
            let duration = random.duration(600_000, 10_000_000)
            lastFault = max(lastFault, now + duration)
            coordinator?.sleep(duration)
        case .join: start(present.map(\.slot).max().map { $0 + 1 } ?? 0)
        case .leave: leave(victim, present)
        case .stop:
            isStopAllowed = true
            coordinator?.handle(.stopRequested(reason: "interrupted"))
        case .repeatWord:
            connectionFaults[victim.slot, default: 0] += 1
            victim.repeatLastReport()
        }
    }

    private func crash(_ victims: [SimulatedWorker]) {
        for victim in victims {
            connectionFaults[victim.slot, default: 0] += 1
            victim.exit(9)
        }
    }

    private func suspend(_ victim: SimulatedWorker, _ duration: Int) {
        lastFault = max(lastFault, now + duration)
        victim.suspend(duration)
    }

    private func part(_ victim: SimulatedWorker, _ duration: Int) {
        lastFault = max(lastFault, now + duration)
        controlApartUntil[victim.slot] = now + duration
    }

    /// Two neighbours of the ring do not hear of each other for a while.
    private func partRing(_ duration: Int) {
        guard let ring, ring.workers.count > 1 else { return }
        let rank = Int.random(in: 0..<ring.workers.count, using: &random)
        let slots = [rank, (rank + 1) % ring.workers.count].map { ring.workers[$0].slot }.sorted()
        lastFault = max(lastFault, now + duration)
        ringApartUntil[slots[0] * 1_000 + slots[1]] = now + duration
    }

    /// When all members leave, the run is stopped; before it has begun, no worker would take their
    /// slots.
    private func leave(_ victim: SimulatedWorker, _ present: [SimulatedWorker]) {
        let others = present.filter { !$0.isAskedToLeave && $0 !== victim }
        guard journal != nil, !others.isEmpty else { return }
        isStopAllowed = true
        victim.leave()
    }
}
