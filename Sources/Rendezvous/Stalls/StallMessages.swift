// The messages about stalls.

import WireFormat

enum StallMessages {
    private static let suspectLimit = 4

    /// "no step for 12.1 s (they take 0.2 s): worker 1 (host alpha, pid 42) in forward and backward
    /// at step 120 for 11.8 s: slow"
    static func line(
        silence: Duration, median: Double?, suspects: [StallSuspect], _ membership: Membership
    ) -> String {
        var text = "no step for \(seconds(silence)) s"
        if let median { text += " (they take \(figure(median)) s)" }
        switch membership.phase {
        case .preparing: text += ", waiting for the ring to open: "
        case .regrouping: text += ", waiting for the members to leave the ring: "
        default: text += ": "
        }
        if suspects.isEmpty { return text + "the coordinator is about to open a generation" }
        if suspects.count > 1, suspects.allSatisfy({ $0.silence == nil && $0.phase == "ring" }) {
            return text + "all wait in the ring: "
                + suspects.prefix(suspectLimit).map { waiting($0, suspects.count) }
                .joined(separator: ", ") + ": cut off: a link between two of them does not carry"
        }
        let named = suspects.prefix(suspectLimit).map { describe($0, membership) }
        let more = suspects.count - named.count
        return text + named.joined(separator: "; ") + (more > 0 ? "; and \(more) more" : "")
    }

    /// A checkpoint that the coordinator took long to write; nil when it did not.
    static func checkpoint(step: Int, took time: Duration) -> String? {
        guard time >= .seconds(5) else { return nil }
        return
            "the coordinator took \(seconds(time)) s to store the checkpoint of step \(step): disk"
    }

    private static func waiting(_ suspect: StallSuspect, _ worldSize: Int) -> String {
        let rank = suspect.member.rank ?? 0
        return "worker \(suspect.member.slot) for rank \((rank + worldSize - 1) % worldSize)"
    }

    private static func describe(_ suspect: StallSuspect, _ membership: Membership) -> String {
        var text = MembershipMessages.name(suspect.member)
        if let silence = suspect.silence {
            text +=
                ", last seen in \(position(suspect)), has said nothing for \(seconds(silence)) s"
        } else {
            text += " in \(position(suspect))"
            if let time = suspect.phaseTime { text += " for \(seconds(time)) s" }
        }
        return text + ": \(cause(suspect))"
    }

    private static func position(_ suspect: StallSuspect) -> String {
        let phase =
            switch suspect.phase {
            case "compute": "forward and backward"
            case "ring":
                "the ring"
            default: suspect.phase
            }
        return "\(phase) at step \(suspect.step)"
    }

    private static func cause(_ suspect: StallSuspect) -> String {
        if suspect.silence != nil {
            switch suspect.state {
            case .gone: return "dead"
            case .stopped: return "stopped"
            case .running: return "cut off: its process runs"
            case .elsewhere: return "stopped or cut off"
            }
        }
        switch suspect.phase {
        case "data": return "waiting for data"
        case "checkpoint": return "disk, or the way to the coordinator"
        case "waiting": return "slow to follow the coordinator"
        case "connecting", "ring": return "cut off: its neighbours on the ring do not answer"
        default: return "slow"
        }
    }

    private static func seconds(_ duration: Duration) -> String { figure(duration / .seconds(1)) }

    /// One digit behind the point; three for the steps of small models.
    private static func figure(_ seconds: Double) -> String {
        let scale = seconds < 0.1 ? 1000.0 : 10.0
        return "\((seconds * scale).rounded() / scale)"
    }
}
