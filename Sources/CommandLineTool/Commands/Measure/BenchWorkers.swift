import Benchmarks
import ExitCodes
import Foundation
import Launching
import Configuration
import Learning
import RunProcesses
import Training
import Transport
import WireFormat

/// The workers of a benchmark, how they are started and how the results are printed.
struct BenchWorkers {
    let workerCount: Int
    let transport: CommunicationConfiguration.Transport
    let writesJSON: Bool
    /// Where this process waits for workers that are started by hand; nil starts them here.
    private let listenAddress: SocketAddress?

    init(_ arguments: ParsedArguments) throws {
        workerCount = try arguments.integer("workers", in: 1...64) ?? 2
        transport = try arguments.name("transport") ?? .auto
        writesJSON = arguments.has("json")
        listenAddress = try arguments.address("listen")
    }

    /// Starts the workers, or waits for them, and runs the plan to its end.
    func run(_ plan: BenchPlan) throws -> (BenchLead, FinishedReport) {
        let lead = try BenchLead(plan, workers: workerCount, listenAddress: listenAddress)
        if listenAddress != nil {
            Console.errorText(
                CoordinatorRole.invitation(
                    to: lead.address, RouteAddress.ownAddresses(), command: "rondo bench worker"))
            return (lead, try lead.run())
        }
        let ended = DispatchSemaphore(value: 0)
        var children: [ChildProcess] = []
        defer {
            for child in children { child.cutLifeline() }
            for _ in children { ended.wait() }
        }
        let cores = ProcessorCores.shares(workers: workerCount, threads: 1)
        for slot in 0..<workerCount {
            children.append(
                try ChildProcess(
                    name: "worker \(slot)",
                    ChildProcess.Command(
                        executable: RunningProgram(name: "rondo").executable,
                        arguments: [
                            "rondo", "bench", "worker", "--coordinator=\(lead.address)",
                            "--slot=\(slot)",
                        ], environment: ProcessArithmetic.environment(threads: 1),
                        cores: cores?[slot])
                ) { _, _ in ended.signal() })
        }
        do {
            return (lead, try lead.run())
        } catch {
            // The surviving workers report a broken link before the system reports the lost
            // process.
            if ended.wait(timeout: .now() + 1) == .success { ended.signal() }
            throw Self.loss(among: children) ?? error
        }
    }

    /// The worker that a signal ended; the other workers only saw a closed link.
    private static func loss(among children: [ChildProcess]) -> BenchError? {
        for child in children {
            guard case .signalled(let signal) = child.status else { continue }
            return BenchError(
                exitCode: .peersLost,
                description:
                    "\(child.name) (pid \(child.processID)) was ended by signal \(signal); a benchmark"
                    + " does not go on without it")
        }
        return nil
    }
}

extension ParsedArguments {
    /// An address to listen on or to connect to.
    func address(_ option: String) throws(UsageError) -> SocketAddress? {
        guard let text = text(option) else { return nil }
        do throws(TransportError) {
            return try SocketAddress.parse(text)
        } catch {
            throw UsageError("--\(option): \(error)")
        }
    }

    /// One of the names of a list.
    func name<Name: RawRepresentable & CaseIterable>(
        _ option: String, _: Name.Type = Name.self
    ) throws(UsageError) -> Name? where Name.RawValue == String {
        guard let text = text(option) else { return nil }
        if let name = Name(rawValue: text) { return name }
        let names = Name.allCases.map(\.rawValue)
        let list = names.dropLast().joined(separator: ", ") + " or " + (names.last ?? "")
        throw UsageError("'--\(option)' must be \(list), got '\(text)'")
    }
}
