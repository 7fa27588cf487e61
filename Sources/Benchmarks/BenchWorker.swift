import Training
import Checkpoints
import Collectives
import DataParallel
import ExitCodes
import Foundation
import Kernels
import Models
import NeuralNetworks
import Rendezvous
import Configuration
import Learning
import Tensors
import Transport
import WireFormat

/// One worker process of a benchmark.
package final class BenchWorker {
    private static let deadline = Duration.seconds(600)

    private let client: WorkerSession
    private let group: ProcessGroup
    private let assignment: Assignment

    /// Joins, runs the coordinator's plan and leaves.
    package static func run(coordinator: SocketAddress, slot: Int?, productVersion: String) throws {
        // Those that a person starts on other machines have no such environment yet.
        try ProcessArithmetic.ensure(level: ProcessArithmetic.wanted, threads: 1)
        let listener = try DataListener(coordinator: coordinator)
        defer { listener.close() }
        let client = try WorkerSession.join(
            coordinator: coordinator,
            hello: WorkerHello(
                productVersion: productVersion, hostName: ProcessInfo.processInfo.hostName,
                processID: ProcessInfo.processInfo.processIdentifier, slot: slot,
                dataPort: listener.port, arithmetic: ProcessArithmetic.wanted,
                highestArithmetic: ProcessArithmetic.highest, token: nil),
            deadline: .after(.seconds(20)))
        defer { client.close() }
        do {
            let plan = try JSONDecoder().decode(
                BenchPlan.self, from: Data(client.description.configurationJSON.utf8))
            try plan.check()
            // Only a benchmark on this machine, which has started this worker, has a file written
            // here.
            try BenchWorker(client, listener, plan.transport).run(plan, writesProfile: slot != nil)
        } catch {
            let failure = WorkerFailure(
                exitCode: ExitCode(of: error), message: WorkerRun.words(error))
            // Whatever it is: nobody can take this worker's place, so there is nothing to wait for.
            client.sendFailure(exitCode: .failed, message: failure.message)
            throw failure
        }
    }

    private init(
        _ client: WorkerSession, _ listener: DataListener,
        _ transport: CommunicationConfiguration.Transport
    ) throws {
        self.client = client
        try client.send(.prepared)
        guard
            case .assignment(let assignment) = try client.awaitNext(deadline: .after(Self.deadline))
        else { throw BenchError(description: "the benchmark ended before it began") }
        self.assignment = assignment
        let addresses = try assignment.addresses.map { try SocketAddress.parse($0) }
        let group = try RingConnector.connect(
            rank: assignment.rank, generation: assignment.generation,
            token: client.description.runToken, deal: assignment.deal, addresses: addresses,
            listener: try listener.opened(for: addresses), timeout: .seconds(60),
            deadline: .after(.seconds(30)),
            transport: LinkTransport(transport), add: ringAddition)
        self.group = group
        client.onConnectionLost { _ in group.shutdown() }
    }

    private func run(_ plan: BenchPlan, writesProfile: Bool) throws {
        switch plan.kind {
        case .training(let name, let steps, let warmup):
            guard let workload = WorkloadName(rawValue: name) else {
                throw BenchError(description: "unknown workload '\(name)'")
            }
            try train(
                workload, steps: steps, warmup: warmup, gradients: plan.gradients,
                profilePath: assignment.rank == 0 && writesProfile ? plan.profilePath : nil)
        case .allReduce(let byteCounts):
            try allReduces(byteCounts)
        }
    }

    // MARK: Training

    private func train(
        _ name: WorkloadName, steps: Int, warmup: Int, gradients: GradientNumbers,
        profilePath: String?
    ) throws {
        let peak = ReferenceProduct.measured()
        let profiler = profilePath.map { _ in StepProfiler() }
        let workload = name.workload(replica: assignment.rank)
        let store = ParameterStore(adopting: workload.model)
        let optimizer = workload.makeOptimizer(store.values.count)
        let executor = ReplicatedStep(
            store: store, seed: 1, sumCount: 0, bucketByteCount: 1 << 20,
            format: GradientFormat(gradients), hasSpareCore: ProcessorCores.available.count > 1)
        executor.join(group)
        defer {
            group.shutdown()
            executor.leave()
        }
        try client.send(
            .ready(
                ReadyReport(
                    generation: assignment.generation, step: 0,
                    weightsDigest: Self.digest(of: store))))
        let pass = MicroBatchPass(sampleCount: workload.batchSize) { tape in
            let (loss, sums) = workload.forward(tape)
            return (loss, PassSums(sums))
        }
        var reports: [StepReport] = []
        var allocationsBefore = 0
        for step in 0..<(warmup + steps) {
            if step == warmup {
                allocationsBefore = MemoryPool.statistics.freshBlockCount
                executor.profile = profiler?.operations
            }
            let start = ContinuousClock.now
            let sums = try executor.run(
                step: step,
                update: StepUpdate(
                    optimizer: optimizer, learningRate: workload.learningRate, number: step + 1),
                votes: StepVotes(),
                phase: { if step >= warmup { profiler?.enter($0) } },
                passes: { _ in [pass] })
            profiler?.enter(nil)
            guard step >= warmup else { continue }
            let seconds = (ContinuousClock.now - start) / .seconds(1)
            reports.append(
                StepReport(
                    step: step - warmup + 1, epoch: 1, lossSum: Double(sums.lossSum),
                    sampleCount: group.worldSize * workload.batchSize,
                    seconds: seconds, learningRate: workload.learningRate))
        }
        let allocations = MemoryPool.statistics.freshBlockCount - allocationsBefore
        if let profilePath, let profiler {
            try JSONEncoder().encode(profiler.result(steps: steps))
                .write(to: URL(fileURLWithPath: profilePath))
        }
        if assignment.rank == 0 {
            try send(reports, scalars: store.scalarCount, allocations: allocations, peak: peak)
        }
        try leave(step: steps, digest: Self.digest(of: store))
    }

    /// The number of parameters, what was asked of the system during the steps, and the rate of the
    /// reference product travel in a report of their own.
    private func send(
        _ reports: [StepReport], scalars: Int, allocations: Int, peak: Double
    ) throws {
        try client.send(.steps(StepReports(reports: reports)))
        try client.send(
            .evaluation(
                EvaluationReport(
                    step: reports.count, epoch: 1, sampleCount: scalars,
                    figures: [Double(allocations), peak], seconds: 0)))
    }

    private static func digest(of store: ParameterStore) -> String {
        let values = UnsafeBufferPointer(
            start: UnsafePointer(store.values.pointer), count: store.values.count)
        return ModelDigest.hexadecimal(
            of: [NamedArray(name: "values", shape: [store.values.count], floats: values)])
    }

    // MARK: All-reduce

    private func allReduces(_ byteCounts: [Int]) throws {
        let digest = "no weights"
        try client.send(
            .ready(
                ReadyReport(generation: assignment.generation, step: 0, weightsDigest: digest)))
        let reports = try byteCounts.enumerated().map {
            try allReduce($0.offset, byteCount: $0.element)
        }
        if assignment.rank == 0 { try client.send(.steps(StepReports(reports: reports))) }
        try leave(step: reports.count, digest: digest)
    }

    /// Times one size and checks the sum of every repetition.
    private func allReduce(_ index: Int, byteCount: Int) throws -> StepReport {
        let count = byteCount / MemoryLayout<Float>.stride
        let input = Tensor(repeating: Float(assignment.rank + 1), [count])
        let output = Tensor(zeros: [count])
        let expected = Float(group.worldSize * (group.worldSize + 1) / 2)
        var seconds: [Double] = []
        let repetitions = BenchPlan.repetitions(byteCount: byteCount)
        for repetition in 0..<(repetitions + 3) {
            if repetition == 3 { try group.barrier(step: UInt64(index)) }
            let start = ContinuousClock.now
            try group.allReduce(
                step: UInt64(repetition), bucket: UInt32(index),
                inputs: [UnsafePointer(input.pointer)], output: output.pointer,
                elementCount: count)
            if repetition >= 3 { seconds.append((ContinuousClock.now - start) / .seconds(1)) }
            for probe in [0, count / 2, count - 1] where output.pointer[probe] != expected {
                throw BenchError(
                    description: "all-reduce of \(byteCount) bytes gave"
                        + " \(output.pointer[probe]) at \(probe), expected \(expected)")
            }
        }
        seconds.sort()
        return StepReport(
            step: index + 1, epoch: 1, lossSum: 0, sampleCount: byteCount,
            seconds: seconds[seconds.count / 2], learningRate: 0)
    }

    private func leave(step: Int, digest: String) throws {
        try client.send(
            .finished(
                FinishedReport(
                    step: step, epoch: 1, weightsDigest: digest, stopped: false,
                    peakResidentBytes: ProcessArithmetic.peakResidentByteCount)))
        guard case .end = try client.awaitNext(deadline: .after(Self.deadline)) else {
            throw BenchError(description: "the benchmark lost a worker at its end")
        }
    }
}
