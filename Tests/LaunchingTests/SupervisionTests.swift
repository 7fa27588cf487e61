import Glibc
import Launching
import Testing

@Suite struct SupervisionTests {
    private let start = ContinuousClock.now

    private func running(workers: Int) -> Supervision {
        var supervision = Supervision()
        for slot in 0..<workers { supervision.started(.worker(slot), now: start) }
        supervision.allStarted()
        return supervision
    }

    @Test func successfulRunIsOverWithoutActions() {
        var supervision = running(workers: 2)
        for child in [Supervision.Child.worker(0), .coordinator, .worker(1)] {
            #expect(!supervision.isOver)
            #expect(supervision.handle(.ended(child, .exited(0)), now: start) == [])
        }
        #expect(supervision.isOver)
        #expect(supervision.casualties.isEmpty)
    }

    @Test func lostWorkerIsStartedAgainAfterPausesThatGrow() {
        var supervision = running(workers: 2)
        var now = start
        var pauses: [Duration] = []
        for loss in 0..<9 {
            let end: ProcessEnd = loss.isMultiple(of: 2) ? .signalled(SIGKILL) : .exited(4)
            #expect(supervision.handle(.ended(.worker(1), end), now: now) == [])
            let again = supervision.deadline ?? now
            pauses.append(again - now)
            if again > now {
                let early = again - .milliseconds(1)
                #expect(supervision.handle(.deadlinePassed, now: early) == [])
            }
            #expect(supervision.handle(.deadlinePassed, now: again) == [.startWorker(1)])
            supervision.started(.worker(1), now: again)
            #expect(supervision.deadline == nil)
            now = again
        }
        let expected: [Duration] =
            [.zero] + [0.5, 1, 2, 4, 8, 16].map { .seconds($0) }
            + [Supervision.longestPause, Supervision.longestPause]
        #expect(pauses == expected)
        #expect(supervision.casualties.isEmpty)
        // One that has lived long begins anew.
        now += Supervision.longLife
        _ = supervision.handle(.ended(.worker(1), .exited(4)), now: now)
        #expect(supervision.deadline == now)
    }

    @Test func workersRestartIndependently() {
        var supervision = running(workers: 3)
        for slot in 0..<3 {
            _ = supervision.handle(.ended(.worker(slot), .signalled(SIGKILL)), now: start)
        }
        #expect(!supervision.isOver)
        #expect(
            supervision.handle(.deadlinePassed, now: start)
                == [.startWorker(0), .startWorker(1), .startWorker(2)])
    }

    @Test func nobodyIsStartedAgainOnceTheRunEnds() {
        for event in [
            Supervision.Event.signal, .ended(.coordinator, .exited(0)),
            .ended(.coordinator, .exited(4)),
        ] {
            var supervision = running(workers: 2)
            _ = supervision.handle(.ended(.worker(0), .signalled(SIGKILL)), now: start)
            _ = supervision.handle(event, now: start)
            #expect(supervision.deadline != start)
            #expect(supervision.handle(.deadlinePassed, now: start) == [])
            _ = supervision.handle(.ended(.worker(1), .exited(4)), now: start)
            #expect(supervision.handle(.deadlinePassed, now: start) == [])
        }
    }

    @Test(arguments: [1, 2, 3, 126, 127, 255] as [Int32])
    func workerThatCannotStartIsNotStartedAgain(code: Int32) {
        var supervision = running(workers: 2)
        #expect(supervision.handle(.ended(.worker(1), .exited(code)), now: start) == [])
        #expect(supervision.deadline == start + Supervision.drainTime)
        #expect(supervision.casualties == [.init(child: .worker(1), status: .exited(code))])
    }

    @Test(arguments: [1, 255] as [Int32])
    func workerWhosePlaceHasJoinedIsStartedAgain(code: Int32) {
        var supervision = running(workers: 2)
        supervision.joined(1)
        // A worker that somebody else started is in no slot of this supervision.
        supervision.joined(7)
        #expect(supervision.handle(.ended(.worker(1), .exited(code)), now: start) == [])
        #expect(supervision.handle(.deadlinePassed, now: start) == [.startWorker(1)])
        #expect(supervision.casualties.isEmpty)
        #expect(supervision.handle(.ended(.worker(0), .exited(code)), now: start) == [])
        #expect(supervision.casualties == [.init(child: .worker(0), status: .exited(code))])
    }

    @Test func workersThatLeaveARunMayLeaveItToOthers() {
        var supervision = running(workers: 2)
        for slot in 0..<2 { supervision.joined(slot) }
        for slot in 0..<2 {
            #expect(supervision.handle(.ended(.worker(slot), .exited(0)), now: start) == [])
        }
        #expect(supervision.deadline == nil)
        #expect(supervision.handle(.ended(.coordinator, .exited(0)), now: start) == [])
        #expect(supervision.isOver)
        #expect(supervision.casualties.isEmpty)
    }

    @Test func failedWorkerGivesOthersTimeThenTerminatesThenKills() {
        var supervision = running(workers: 2)
        #expect(supervision.handle(.ended(.worker(1), .exited(3)), now: start) == [])
        let drained = start + Supervision.drainTime
        #expect(supervision.deadline == drained)
        #expect(supervision.handle(.deadlinePassed, now: drained) == [.terminateAll])
        let terminated = drained + Supervision.terminationTime
        #expect(supervision.deadline == terminated)
        #expect(supervision.handle(.deadlinePassed, now: terminated) == [.killAll])
        #expect(supervision.deadline == nil)
        _ = supervision.handle(.ended(.worker(0), .signalled(SIGKILL)), now: terminated)
        _ = supervision.handle(.ended(.coordinator, .signalled(SIGKILL)), now: terminated)
        #expect(supervision.isOver)
        #expect(supervision.casualties == [.init(child: .worker(1), status: .exited(3))])
    }

    @Test func firstSignalInterruptsSecondKills() {
        var supervision = running(workers: 1)
        #expect(supervision.handle(.signal, now: start) == [.interruptCoordinator])
        #expect(supervision.wasInterrupted)
        let again = start + StopRequests.echoTime
        #expect(supervision.handle(.signal, now: again) == [.killAll])
        #expect(supervision.handle(.signal, now: again) == [])
        #expect(supervision.endedByInterrupt)
    }

    @Test func echoOfASignalChangesNothing() {
        var supervision = running(workers: 1)
        #expect(supervision.handle(.signal, now: start) == [.interruptCoordinator])
        #expect(supervision.handle(.signal, now: start) == [])
        #expect(supervision.handle(.signal, now: start + .milliseconds(999)) == [])
        #expect(supervision.deadline == nil)
    }

    @Test func interruptWhileWorkersJoinIsAnInterrupt() {
        var supervision = running(workers: 2)
        _ = supervision.handle(.signal, now: start)
        _ = supervision.handle(.ended(.worker(1), .exited(4)), now: start)
        _ = supervision.handle(.ended(.coordinator, .exited(130)), now: start)
        _ = supervision.handle(.ended(.worker(0), .exited(4)), now: start)
        #expect(supervision.endedByInterrupt)
    }

    @Test func failureAfterAnInterruptIsAFailure() {
        var supervision = running(workers: 1)
        _ = supervision.handle(.signal, now: start)
        _ = supervision.handle(.ended(.coordinator, .exited(1)), now: start)
        #expect(!supervision.endedByInterrupt)
    }

    @Test func coordinatorThatSupervisionEndedWasNotInterrupted() {
        var supervision = running(workers: 1)
        _ = supervision.handle(.ended(.worker(0), .exited(3)), now: start)
        _ = supervision.handle(.deadlinePassed, now: start + Supervision.drainTime)
        _ = supervision.handle(.ended(.coordinator, .exited(130)), now: start)
        #expect(!supervision.endedByInterrupt)
        #expect(supervision.firstCause == .init(child: .worker(0), status: .exited(3)))
    }

    @Test func workersThatEndWithoutTheRunAreACasualty() {
        var supervision = running(workers: 2)
        // One alone may have left because it was asked to.
        #expect(supervision.handle(.ended(.worker(1), .exited(0)), now: start) == [])
        #expect(supervision.deadline == nil)
        #expect(supervision.handle(.ended(.worker(0), .exited(0)), now: start) == [])
        let late = start + Supervision.finishingTime
        #expect(supervision.deadline == late)
        #expect(supervision.handle(.deadlinePassed, now: late) == [.terminateAll])
        #expect(supervision.firstCause == .init(child: .worker(0), status: .exited(0)))
    }

    @Test func signalledWorkerIsTheCauseBeforeOnesThatGaveUp() {
        var supervision = running(workers: 3)
        _ = supervision.handle(.ended(.worker(0), .exited(4)), now: start)
        _ = supervision.handle(.ended(.worker(2), .exited(1)), now: start)
        _ = supervision.handle(.ended(.coordinator, .exited(4)), now: start)
        #expect(supervision.firstCause?.child == .worker(2))
        _ = supervision.handle(.ended(.worker(1), .signalled(SIGSEGV)), now: start)
        #expect(supervision.firstCause?.child == .worker(1))
    }

    @Test func coordinatorIsTheCauseWhenWorkersOnlyLostIt() {
        var supervision = running(workers: 1)
        _ = supervision.handle(.ended(.worker(0), .exited(4)), now: start)
        _ = supervision.handle(.ended(.coordinator, .exited(1)), now: start)
        #expect(supervision.firstCause == .init(child: .coordinator, status: .exited(1)))
    }

    @Test func killedCoordinatorIsReplacedButNotForEver() {
        var supervision = running(workers: 1)
        let killed = Supervision.Event.ended(.coordinator, .signalled(SIGKILL))
        for _ in 0..<Supervision.coordinatorLossLimit {
            #expect(supervision.handle(killed, now: start) == [.startCoordinator])
        }
        // Those that have done their work for a while do not count.
        let later = start + .seconds(30)
        for _ in 0..<Supervision.coordinatorLossLimit {
            #expect(supervision.handle(killed, now: later) == [.startCoordinator])
        }
        #expect(supervision.handle(killed, now: later) == [])
        #expect(supervision.deadline == later + Supervision.drainTime)
        #expect(supervision.coordinatorStatus == .signalled(SIGKILL))
        #expect(
            supervision.firstCause == .init(child: .coordinator, status: .signalled(SIGKILL)))
    }

    @Test func coordinatorThatIsKilledWhileItStopsIsNotReplaced() {
        var supervision = running(workers: 1)
        _ = supervision.handle(.signal, now: start)
        #expect(supervision.handle(.ended(.coordinator, .signalled(SIGKILL)), now: start) == [])
        #expect(supervision.coordinatorStatus == .signalled(SIGKILL))
    }

    @Test func failedStartTerminatesWhatRuns() {
        var supervision = Supervision()
        supervision.started(.worker(0), now: start)
        #expect(supervision.handle(.failed, now: start) == [.terminateAll])
        _ = supervision.handle(.ended(.worker(0), .signalled(SIGTERM)), now: start)
        #expect(!supervision.isOver)
        _ = supervision.handle(.ended(.coordinator, .signalled(SIGTERM)), now: start)
        #expect(supervision.isOver)
    }
}
