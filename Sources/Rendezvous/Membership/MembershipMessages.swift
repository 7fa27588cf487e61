// The messages of the membership: who was lost and how that was noticed, why a worker may not join,
// what the start is still waiting for. Together, so that one thing is always said in one way.

import WireFormat

enum MembershipMessages {
    /// "worker 1 (host alpha, pid 42)": the number is its slot, which stays while ranks change.
    static func name(_ member: Membership.Member) -> String {
        "worker \(member.slot) (host \(member.hello.hostName), pid \(member.hello.processID))"
    }

    static func name(_ worker: WorkerDescription) -> String {
        "worker \(worker.slot) (host \(worker.hostName), pid \(worker.processID))"
    }

    /// For a worker that has no slot.
    static func name(_ hello: WorkerHello) -> String {
        "the worker on host \(hello.hostName) (pid \(hello.processID))"
    }

    static func loss(of member: Membership.Member, _ cause: LossCause) -> String {
        var position = ""
        if let progress = member.progress {
            position = " after step \(progress.step) (\(progress.phase))"
        }
        return "lost \(name(member))\(position): \(message(for: cause))"
    }

    private static func message(for cause: LossCause) -> String {
        switch cause {
        case .connectionClosed: "its connection was closed"
        case .connectionFailed(let reason): reason
        case .silent(let duration):
            "no sign of life for \(seconds(duration)) s; its process may be suspended or its host "
                + "cut off"
        case .protocolViolation(let reason): "it broke the protocol: \(reason)"
        case .notReading: "it does not read what it is sent"
        case .gaveUp(let reason): reason
        case .stuck(let duration):
            "it lives, but has not answered for \(seconds(duration)) s"
        case .cutOff: "its neighbours on the ring cannot reach it; it may join again"
        }
    }

    static func versionMismatch(_ hello: WorkerHello, _ settings: MembershipSettings) -> Refusal {
        Refusal(
            reason: .versionMismatch,
            message: "the worker is rondo \(hello.productVersion) (protocol "
                + "\(hello.protocolVersion)), the coordinator is rondo \(settings.productVersion) "
                + "(protocol \(ControlProtocol.version)); install one version on every host")
    }

    static func runFull(_ settings: MembershipSettings) -> Refusal {
        Refusal(
            reason: .runFull,
            message: settings.replicaCount == 1
                ? "the run's only replica is taken"
                : "\(settings.replicaCount) workers take part, one for each replica")
    }

    static func arithmeticMismatch(
        _ hello: WorkerHello, _ settings: MembershipSettings, bound: String?
    ) -> Refusal {
        let wanted =
            bound.map { "the run is bound to \($0)" }
            ?? "known are \(settings.arithmeticLevels.joined(separator: ", "))"
        let highest = hello.highestArithmetic ?? hello.arithmetic
        return Refusal(
            reason: .arithmeticMismatch,
            message: "the worker's processor runs the arithmetic \(highest), \(wanted); "
                + "its results would not be the same bits")
    }

    static func noWorkerLeft(savedStep: Int) -> String {
        "no worker is left; the run goes on from "
            + (savedStep > 0 ? "the checkpoint of step \(savedStep)" : "its beginning")
            + " as soon as one is there"
    }

    static func fruitless(_ count: Int, _ cause: String?) -> String {
        "the workers could not form a ring \(count) times in a row; the last complaint: "
            + (cause ?? "none")
    }

    static func stoppedWithoutWorkers(_ reason: String) -> String {
        "\(reason): stopped while no worker was there"
    }

    static func noWorkerCame(_ settings: MembershipSettings, _ lastRefusal: String?) -> String {
        "all workers are lost and none has stayed for \(seconds(settings.startTimeout)) s"
            + (lastRefusal.map { "; one was refused: \($0)" } ?? "")
    }

    static func startDeadline(
        _ settings: MembershipSettings, present: [Membership.Member], _ lastRefusal: String?
    ) -> String {
        let time = "within \(seconds(settings.startTimeout)) s"
        let unprepared = present.filter { !$0.isPrepared }
        if present.count >= settings.workerCount {
            return "the data was not read \(time) by "
                + unprepared.map { name($0) }.joined(separator: ", ")
        }
        let missing = Set(0..<settings.workerCount).subtracting(present.map(\.slot)).sorted()
        var message =
            "only \(present.count) of \(settings.workerCount) "
            + "worker\(settings.workerCount == 1 ? "" : "s") joined \(time); missing: "
            + workers(missing)
        if let lastRefusal { message += "; one was refused: \(lastRefusal)" }
        return message
    }

    static func notReady(
        _ settings: MembershipSettings, late: [Membership.Member]
    ) -> String {
        "not ready within \(seconds(settings.startTimeout)) s: "
            + late.map { name($0) }.joined(separator: ", ")
            + "; can the workers reach each other's ports?"
    }

    /// Which workers hold which value, nil when all values are equal.
    static func difference(of values: [(slot: Int, value: String)]) -> String? {
        guard Set(values.map(\.value)).count > 1 else { return nil }
        var groups: [(value: String, slots: [Int])] = []
        for (slot, value) in values {
            if let index = groups.firstIndex(where: { $0.value == value }) {
                groups[index].slots.append(slot)
            } else {
                groups.append((value, [slot]))
            }
        }
        return groups.map { group in
            "\(workers(group.slots)) \(group.slots.count == 1 ? "has" : "have") \(group.value)"
        }.joined(separator: "; ")
    }

    private static func workers(_ slots: [Int]) -> String {
        (slots.count == 1 ? "worker " : "workers ")
            + slots.map(String.init).joined(separator: ", ")
    }

    /// Tenths of a second, without a needless ".0".
    private static func seconds(_ duration: Duration) -> String {
        let tenths = Int((duration / .milliseconds(100)).rounded())
        return tenths % 10 == 0 ? "\(tenths / 10)" : "\(tenths / 10).\(tenths % 10)"
    }
}
