import Foundation
import Launching
import RunConfiguration
import RunProcesses
import Training
import Transport
import WireFormat

/// The workers of a benchmark, and how they and the results travel.
struct BenchFleet {
    let workerCount: Int
    let transport: CommunicationConfiguration.Transport
    let writesJSON: Bool
    /// Where workers that others start are waited for; nil starts them here.
    private let listenAddress: SocketAddress?

    init(_ arguments: ParsedArguments) throws {
        workerCount = try arguments.integer("workers", in: 1...64) ?? 2
        transport = try arguments.name("transport") ?? .auto
        writesJSON = arguments.has("json")
        listenAddress = try arguments.text("listen").map { try SocketAddress.parse($0) }
    }

    /// Leads the workers to the end of the plan.
    func lead(_ plan: BenchPlan) throws -> (BenchLead, FinishedReport) {
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
        return (lead, try lead.run())
    }
}

extension ParsedArguments {
    /// One of the names of a list.
    func name<Name: RawRepresentable & CaseIterable>(
        _ option: String, _: Name.Type = Name.self
    ) throws(UsageError) -> Name? where Name.RawValue == String {
        guard let text = text(option) else { return nil }
        if let name = Name(rawValue: text) { return name }
        let names = Name.allCases.map(\.rawValue)
        throw UsageError("--\(option) must be \(names.joined(separator: ", ")), got '\(text)'")
    }
}
