// The sentences of the membership: who was lost and how that was noticed, why a worker may not
// join, what the start is still waiting for. One place, so that the same thing is always said the
// same way.

import WireFormat

enum MembershipWords {
    /// "rank 1 (host alpha, pid 42)".
    static func name(_ member: Membership.Member) -> String {
        name(member.description)
    }

    static func name(_ worker: WorkerDescription) -> String {
        "rank \(worker.rank) (host \(worker.hostName), pid \(worker.processID))"
    }

    /// For a worker that has no rank.
    static func name(_ hello: WorkerHello) -> String {
        "the worker on host \(hello.hostName) (pid \(hello.processID))"
    }

    static func loss(of member: Membership.Member, _ cause: LossCause) -> String {
        var place = ""
        if let progress = member.progress {
            place = " after step \(progress.step) (\(progress.phase))"
        }
        return "lost \(name(member))\(place): \(words(for: cause))"
    }

    private static func words(for cause: LossCause) -> String {
        switch cause {
        case .connectionClosed: "its connection was closed"
        case .connectionFailed(let reason): reason
        case .silent(let duration):
            "no sign of life for \(seconds(duration)) s; its process may be suspended or its host "
                + "cut off"
        case .protocolViolation(let reason): "it broke the protocol: \(reason)"
        case .notReading: "it does not read what it is sent"
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
            message: settings.workerCount == 1
                ? "the run's only place is taken"
                : "all \(settings.workerCount) places of the run are taken")
    }

    static func arithmeticMismatch(
        _ hello: WorkerHello, _ settings: MembershipSettings
    ) -> Refusal {
        let wanted =
            settings.requiredArithmetic.map { "the run is bound to \($0)" }
            ?? "known are \(settings.arithmeticLevels.joined(separator: ", "))"
        return Refusal(
            reason: .arithmeticMismatch,
            message: "the worker's processor runs the arithmetic \(hello.arithmetic), \(wanted); "
                + "its results would not be the same bits")
    }

    static func allReady(count: Int) -> String {
        count == 1 ? "the worker is ready" : "all \(count) workers are ready"
    }

    static func startDeadline(
        _ settings: MembershipSettings, present: [WorkerDescription], _ lastRefusal: String?
    ) -> String {
        let missing = Set(0..<settings.workerCount).subtracting(present.map(\.rank)).sorted()
        var words =
            "only \(present.count) of \(settings.workerCount) "
            + "worker\(settings.workerCount == 1 ? "" : "s") joined within "
            + "\(seconds(settings.startTimeout)) s; missing: \(ranks(missing))"
        if let lastRefusal { words += "; one was refused: \(lastRefusal)" }
        return words
    }

    static func notReady(
        _ settings: MembershipSettings, late: [Membership.Member]
    ) -> String {
        "not ready within \(seconds(settings.startTimeout)) s: "
            + late.map { name($0) }.joined(separator: ", ")
            + "; can the workers reach each other's ports?"
    }

    /// Which ranks hold which value, nil when all values are equal.
    static func difference(of values: [String]) -> String? {
        guard Set(values).count > 1 else { return nil }
        var groups: [(value: String, ranks: [Int])] = []
        for (rank, value) in values.enumerated() {
            if let index = groups.firstIndex(where: { $0.value == value }) {
                groups[index].ranks.append(rank)
            } else {
                groups.append((value, [rank]))
            }
        }
        return groups.map { group in
            "\(ranks(group.ranks)) \(group.ranks.count == 1 ? "has" : "have") \(group.value)"
        }.joined(separator: "; ")
    }

    private static func ranks(_ ranks: [Int]) -> String {
        (ranks.count == 1 ? "rank " : "ranks ") + ranks.map(String.init).joined(separator: ", ")
    }

    /// Tenths of a second, without a needless ".0".
    private static func seconds(_ duration: Duration) -> String {
        let tenths = Int((duration / .milliseconds(100)).rounded())
        return tenths % 10 == 0 ? "\(tenths / 10)" : "\(tenths / 10).\(tenths % 10)"
    }
}
