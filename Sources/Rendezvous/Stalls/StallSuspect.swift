/// A worker that the others may wait for.
struct StallSuspect {
    let member: Membership.Member
    /// How long it has said nothing; nil when its heartbeats come.
    let silence: Duration?
    let state: ProcessState
    /// How long it has been seen doing the same.
    let phaseTime: Duration?

    var phase: String { member.progress?.phase ?? "joining" }
    var step: Int { member.progress?.step ?? 0 }
}
