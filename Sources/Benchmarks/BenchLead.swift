import Training
import Foundation
import Kernels
import Rendezvous
import Transport
import WireFormat

/// The coordinator of a benchmark: collects the reports of rank 0.
package final class BenchLead: CoordinatorDelegate {
    /// Touched by the thread that runs the service.
    package private(set) var reports: [StepReport] = []
    package private(set) var parameterCount = 0
    /// Blocks of tensor memory that rank 0 has asked of the system during the timed steps.
    package private(set) var allocationCount = 0
    /// GFLOP/s of the reference product on rank 0.
    package private(set) var referenceRate = 0.0
    package private(set) var arithmetic = ""
    package let address: SocketAddress
    private let listener: Listener
    private let settings: CoordinatorSettings

    /// - Parameter listenAddress: where workers on other machines find it; nil is for this machine alone.
    package init(_ plan: BenchPlan, workers: Int, listenAddress: SocketAddress?) throws {
        listener = try Listener(
            try listenAddress ?? SocketAddress(host: "127.0.0.1", port: 0))
        address = listener.localAddress
        settings = CoordinatorSettings(
            membership: MembershipSettings(
                workerCount: workers, replicaCount: workers,
                productVersion: ProductVersion.current, arithmeticLevels: Arithmetic.levels,
                startTimeout: .seconds(60), heartbeatTimeout: .seconds(60)),
            configurationJSON: String(decoding: try JSONEncoder().encode(plan), as: UTF8.self))
    }

    /// Leads the benchmark; the workers' digests of the weights are compared at its end.
    package func run() throws -> FinishedReport {
        let service = try CoordinatorService(
            listener: listener, settings: settings, delegate: self)
        switch service.run() {
        case .finished(let report), .stopped(let report): return report
        case .failed(let exitCode, let message):
            throw BenchError(exitCode: exitCode, description: message)
        }
    }

    package func coordinatorListening(at address: SocketAddress) {}
    package func workerJoined(_ worker: WorkerDescription) {}
    package func workerLost(_ worker: WorkerDescription) {}
    package func generationOpened(_ generation: GenerationDescription) {
        arithmetic = generation.arithmetic
    }
    package func journal(_ journal: MembershipJournal) {}
    package func dealChanged(_ generation: GenerationDescription) {}
    package func runIsEnding() {}
    package func generationRunning(_ generation: GenerationDescription, pause: Duration?) {}
    package func stateToRestore(step: Int) throws -> [(name: String, bytes: Data)] {
        throw BenchError(description: "a benchmark does not go on after a loss")
    }
    package func stepsReported(_ reports: [StepReport]) { self.reports += reports }
    package func evaluationReported(_ report: EvaluationReport) {
        // What rank 0 sends in BenchWorker.
        guard report.figures.count == 2 else { return }
        parameterCount = report.sampleCount
        allocationCount = Int(exactly: report.figures[0]) ?? 0
        referenceRate = report.figures[1]
    }
    package func checkpointReceived(
        step: Int, isFinal: Bool, files: [(name: String, bytes: Data)]
    ) throws {
        throw BenchError(description: "a benchmark has no checkpoints")
    }
    package func log(_ line: String) {}
}
