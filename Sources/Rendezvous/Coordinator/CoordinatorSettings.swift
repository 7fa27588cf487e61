// What a coordinator is started with. Times and bounds have defaults that suit one host as well
// as a local network; tests shorten them.

import Foundation
import Transport
import WireFormat

/// The run as the coordinator sees it.
package struct CoordinatorSettings: Sendable {
    /// Who may join, and when a worker counts as lost.
    package var membership: MembershipSettings
    /// The resolved configuration, handed to every worker.
    package var configurationJSON: String
    /// The secret by which the workers of this run know each other on the ring.
    package var runToken: String
    /// How often the coordinator and its workers show that they live. Shorter finds a silent worker
    /// sooner, together with the timeout, and costs a small message per worker each time.
    package var heartbeatInterval: Duration
    /// After how long a silence a worker takes the coordinator for lost. Longer than the other way
    /// round: the coordinator writes checkpoints between two signs of life.
    package var coordinatorTimeout: Duration
    /// Stop after this many steps in all, though the configuration asks for more.
    package var stopAfterStep: Int?
    /// The generation of another coordinator that this one takes over from, and how far its run is
    /// recorded; nil when it begins or resumes a run itself.
    package var takeover: (journal: MembershipJournal, record: RecordPosition)?
    /// The files to resume from; empty for a run from the start.
    package var resumeState: [(name: String, bytes: Data)]
    /// How long a fresh connection may take to introduce itself.
    package var handshakeTimeout: Duration
    /// Connections that have not introduced themselves; the oldest gives way to a new one.
    package var strangerLimit: Int
    /// Makes links of the connections that are accepted.
    package var links: any LinkFactory
    /// What the answer to a question for the run's status says.
    package var runName: String
    package var totalSteps: Int

    package init(
        membership: MembershipSettings, configurationJSON: String,
        runToken: String = CoordinatorSettings.randomToken(),
        heartbeatInterval: Duration = .seconds(1), coordinatorTimeout: Duration = .seconds(30),
        stopAfterStep: Int? = nil,
        takeover: (journal: MembershipJournal, record: RecordPosition)? = nil,
        resumeState: [(name: String, bytes: Data)] = [],
        handshakeTimeout: Duration = .seconds(5), strangerLimit: Int = 32,
        links: any LinkFactory = .standard, runName: String = "run", totalSteps: Int = 0
    ) {
        self.membership = membership
        self.configurationJSON = configurationJSON
        self.runToken = runToken
        self.heartbeatInterval = heartbeatInterval
        self.coordinatorTimeout = coordinatorTimeout
        self.stopAfterStep = stopAfterStep
        self.takeover = takeover
        self.resumeState = resumeState
        self.handshakeTimeout = handshakeTimeout
        self.strangerLimit = strangerLimit
        self.links = links
        self.runName = runName
        self.totalSteps = totalSteps
    }

    /// 128 bits from the system's generator, in hexadecimal digits.
    package static func randomToken() -> String {
        var generator = SystemRandomNumberGenerator()
        return (0..<2).map { _ in
            let digits = String(generator.next() as UInt64, radix: 16)
            return String(repeating: "0", count: 16 - digits.count) + digits
        }.joined()
    }

    var runDescription: RunDescription {
        RunDescription(
            configurationJSON: configurationJSON, runToken: runToken,
            heartbeatInterval: heartbeatInterval, heartbeatTimeout: coordinatorTimeout)
    }

    /// What makes a run with these settings impossible, nil when nothing does.
    package var problem: String? {
        if let problem = membership.problem { return problem }
        do {
            let welcome = try ControlFrame(.welcome(runDescription) as CoordinatorMessage)
            _ = try welcome.encoded()
        } catch {
            return "the configuration cannot be sent to workers: \(error)"
        }
        do {
            _ = try FileTransfer(step: membership.startStep, isFinal: false, files: resumeState)
        } catch {
            return "the state to resume from cannot be sent to workers: \(error)"
        }
        return nil
    }
}
