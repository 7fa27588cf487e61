// Steps of a model with a sparse table: the bits do not depend on the workers, the rows that no
// replica touches neither travel nor change, and a step is the transaction that it is for dense
// gradients.

import Autodiff
import Collectives
import DataParallel
import NeuralNetworks
import Tensors
import TestSupport
import Testing
import Transport
import WireFormat

@Suite struct SparseTableStepTests {
    enum Rule: CaseIterable {
        case sgd, adagrad, adam

        func optimizer(count: Int) -> any Optimizer {
            switch self {
            case .sgd: SGD(count: count)
            case .adagrad: Adagrad(count: count)
            case .adam: Adam(count: count)
            }
        }
    }

    /// Two tables of other widths and a linear layer; every replica has its own tokens.
    private final class Worker {
        private struct Network: Module {
            let large: Embedding
            let small: Embedding
            let output: Linear
        }

        let store: ParameterStore
        let executor: ReplicatedStep
        let optimizer: any Optimizer
        private let network: Network
        private let clipping: GradientClipping
        private let tokens: (_ step: Int, _ replica: Int) -> [Int32]
        private(set) var computed: [Int] = []

        init(
            _ rule: Rule = .adagrad, clipping: GradientClipping = .none, isSparse: Bool = true,
            rows: Int = 60, rowPartByteCount: Int = RowReducer.defaultPartByteCount,
            tokens: @escaping (_ step: Int, _ replica: Int) -> [Int32] = Worker.someTokens
        ) {
            var stream = InitializationStream(seed: 1)
            network = Network(
                large: Embedding(rows, 6, isSparse: isSparse, stream: &stream),
                small: Embedding(4, 6, paddingIndex: 0, isSparse: isSparse, stream: &stream),
                output: Linear(6, 4, stream: &stream))
            store = ParameterStore(adopting: network)
            optimizer = rule.optimizer(count: store.updatedCount)
            self.clipping = clipping
            self.tokens = tokens
            executor = ReplicatedStep(
                store: store, seed: 1, sumCount: 1, bucketByteCount: 64,
                rowPartByteCount: rowPartByteCount)
        }

        deinit { executor.leave() }

        /// Some of the first 50 rows, of which replicas share some; replica 3 has no samples.
        static func someTokens(step: Int, replica: Int) -> [Int32] {
            replica == 3
                ? []
                : (0..<6).map { Int32(($0 * $0 * 3 + replica * 5 + step * 11 + $0 % 2) % 50) }
        }

        @discardableResult
        func joinAlone(generation: UInt32, replicas: Int = 5) throws -> ProcessGroup {
            let group = try ProcessGroup(
                rank: 0, generation: generation, deal: .equal(replicaCount: replicas, worldSize: 1),
                previous: nil, next: nil, timeout: .seconds(1), add: ringAddition)
            executor.join(group)
            return group
        }

        func update(step: Int) -> StepUpdate {
            StepUpdate(
                optimizer: optimizer, clipping: clipping, learningRate: 0.5, number: step + 1)
        }

        @discardableResult
        func run(step: Int) throws -> StepSums {
            computed = []
            return try executor.run(
                step: step, update: update(step: step), votes: StepVotes(), phase: { _ in }
            ) { replica in
                computed.append(replica)
                let tokens = tokens(step, replica)
                return [
                    MicroBatchPass(sampleCount: tokens.count) { [network] tape in
                        let shape: Shape = [tokens.count]
                        let a = network.large(tokens, shape: shape, tape: tape)
                        let b = network.small(
                            tokens.map { $0 % 3 }, shape: shape, tape: tape)
                        return counted(
                            softmaxCrossEntropy(
                                network.output(a + b), labels: tokens.map { $0 % 4 }))
                    }
                ]
            }
        }

        /// By parameter name, whatever place it has.
        var weights: [String: [Float]] {
            Dictionary(
                uniqueKeysWithValues: store.parameterSlots.map {
                    ($0.name, store.values.slice(from: $0.offset, $0.shape).scalars)
                })
        }

        /// Weights and optimizer state.
        var bits: [UInt32] {
            ([store.values] + optimizer.states).flatMap { $0.scalars.map(\.bitPattern) }
        }
    }

    private static func ring(
        rank: Int, listeners: [Listener], deal: ReplicaDeal
    ) throws -> ProcessGroup {
        try RingConnector.connect(
            rank: rank, generation: 1, token: "t", deal: deal,
            addresses: listeners.map(\.localAddress), listener: listeners[rank],
            timeout: .seconds(10), deadline: .after(.seconds(10)), transport: .tcp,
            add: ringAddition)
    }

    private static func listeners(_ count: Int) throws -> [Listener] {
        try (0..<count).map { _ in try Listener(.parse("127.0.0.1:0")) }
    }

    // MARK: - One result

    @Test(arguments: Rule.allCases, [0, RowReducer.defaultPartByteCount])
    func bitsDoNotDependOnTheWorkers(rule: Rule, rowPartByteCount: Int) throws {
        @Sendable func bits(_ group: ProcessGroup) throws -> [UInt32] {
            let worker = Worker(
                rule, clipping: .globalNorm(0.3), rowPartByteCount: rowPartByteCount)
            worker.executor.join(group)
            for step in 0..<4 { try worker.run(step: step) }
            group.shutdown()
            worker.executor.leave()
            return worker.bits
        }
        let alone = Worker(rule, clipping: .globalNorm(0.3))
        let before = alone.bits
        try alone.joinAlone(generation: 1)
        for step in 0..<4 { try alone.run(step: step) }
        #expect(alone.bits != before)
        for ranges in [
            [0..<2, 2..<5], [0..<3, 3..<4, 4..<5], [0..<1, 1..<2, 2..<3, 3..<5],
        ] {
            let deal = try ReplicaDeal(ranges: ranges)
            let listeners = try Self.listeners(deal.worldSize)
            let all = try onThreads(deal.worldSize) { rank in
                let group = try Self.ring(rank: rank, listeners: listeners, deal: deal)
                defer { group.close() }
                return try bits(group)
            }.map { try $0.get() }
            for bits in all { #expect(bits == alone.bits, "\(ranges)") }
        }
    }

    /// The dense step adds up in another order; Adam is given all rows, because a dense one also
    /// moves those whose gradient is zero.
    @Test(arguments: Rule.allCases, [GradientClipping.none, .globalNorm(0.1), .value(0.01)])
    func stepsAreThoseOfADenseTable(rule: Rule, clipping: GradientClipping) throws {
        func tokens(step: Int, replica: Int) -> [Int32] {
            rule == .adam
                ? (0..<60).map { Int32(($0 * 7 + replica) % 60) }
                : Worker.someTokens(step: step, replica: replica)
        }
        let workers = [true, false].map {
            Worker(rule, clipping: clipping, isSparse: $0, tokens: tokens)
        }
        var norms: [Double?] = []
        for worker in workers {
            try worker.joinAlone(generation: 1, replicas: 3)
            for step in 0..<3 {
                norms.append(try worker.run(step: step).gradientNorm)
            }
        }
        for (name, dense) in workers[1].weights {
            let sparse = try #require(workers[0].weights[name])
            #expect(zip(sparse, dense).allSatisfy { abs($0 - $1) < 2e-5 }, "\(name)")
        }
        for step in 0..<3 {
            #expect(abs((norms[step] ?? 0) - (norms[3 + step] ?? 0)) < 1e-6)
        }
    }

    @Test(arguments: Rule.allCases) func untouchedRowsStay(rule: Rule) throws {
        let worker = Worker(rule)
        try worker.joinAlone(generation: 1)
        let before = try #require(worker.weights["large.weight"])
        try worker.run(step: 0)
        let touched = Set((0..<5).flatMap { Worker.someTokens(step: 0, replica: $0) })
        let after = try #require(worker.weights["large.weight"])
        let slot = try #require(worker.store.sparseSlots.first)
        for row in 0..<60 {
            let range = row * 6..<row * 6 + 6
            let isTouched = touched.contains(Int32(row))
            #expect((before[range] != after[range]) == isTouched, "row \(row)")
            guard rule != .sgd else { continue }
            let state = worker.optimizer.states[0].slice(from: slot.offset, slot.shape).scalars
            #expect(state[range].contains { $0 != 0 } == isTouched, "row \(row)")
        }
    }

    /// What travels follows the touched rows and not the table.
    @Test func bytesFollowTheTouchedRows() throws {
        func bytes(rows: Int) throws -> [UInt64] {
            let deal = ReplicaDeal.equal(replicaCount: 2, worldSize: 2)
            let listeners = try Self.listeners(2)
            return try onThreads(2) { rank in
                let group = try Self.ring(rank: rank, listeners: listeners, deal: deal)
                defer { group.close() }
                let worker = Worker(rows: rows)
                worker.executor.join(group)
                try worker.run(step: 0)
                group.shutdown()
                worker.executor.leave()
                return group.payloadBytesSent
            }.map { try $0.get() }
        }
        let large = try bytes(rows: 20_000)
        #expect(try bytes(rows: 60) == large)
        #expect(large.allSatisfy { $0 < 2_000 })
    }

    // MARK: - Transactions

    @Test func rowsAreKeptWhenTheRingBreaks() throws {
        let expected = Worker()
        try expected.joinAlone(generation: 1)
        for step in 0..<2 { try expected.run(step: step) }

        let worker = Worker()
        try worker.joinAlone(generation: 1)
        try worker.run(step: 0)
        let before = worker.bits
        worker.executor.leave()
        // Rank 1 of three, whose ring is shut down before anybody has said anything.
        let listener = try Listener(.parse("127.0.0.1:0"))
        defer { listener.close() }
        let next = try Connection.connect(to: listener.localAddress, until: .after(.seconds(10)))
        let previous = try listener.accept(until: .after(.seconds(10)))
        let broken = try ProcessGroup(
            rank: 1, generation: 2, deal: try ReplicaDeal(ranges: [0..<1, 1..<3, 3..<5]),
            previous: previous, next: next, timeout: .seconds(1), add: ringAddition)
        worker.executor.join(broken)
        broken.shutdown()
        #expect(throws: StepError.self) { try worker.run(step: 1) }
        #expect(worker.bits == before, "nothing is committed")
        worker.executor.leave()
        #expect(worker.executor.computedReplicas(step: 1) == [1, 2])

        try worker.joinAlone(generation: 3)
        try worker.run(step: 1)
        #expect(worker.computed == [0, 3, 4])
        #expect(worker.bits == expected.bits)
    }

    @Test(arguments: [GradientClipping.none, .globalNorm(0.1), .value(0.01)])
    func whoMissedTheEndTakesTheSummedRows(clipping: GradientClipping) throws {
        let deal = ReplicaDeal.equal(replicaCount: 5, worldSize: 2)
        let listeners = try Self.listeners(2)
        let bits = try onThreads(2) { rank in
            let worker = Worker(clipping: clipping)
            try worker.joinAlone(generation: 1)
            for step in 0..<3 + (1 - rank) { try worker.run(step: step) }
            worker.executor.leave()
            let group = try Self.ring(rank: rank, listeners: listeners, deal: deal)
            defer { group.close() }
            worker.executor.join(group)
            let reduced = worker.executor.reducedGradient(step: 3)
            try group.broadcast(
                step: 4, root: 0,
                buffer: UnsafeMutableRawBufferPointer(
                    start: reduced.pointer, count: reduced.count * MemoryLayout<Float>.stride))
            try worker.executor.shareReducedRows(step: 3, root: 0, call: 4)
            if rank == 1 {
                _ = try worker.executor.commitReceived(step: 3, update: worker.update(step: 3))
            }
            let committed = worker.bits
            try worker.run(step: 4)
            group.shutdown()
            worker.executor.leave()
            return [committed, worker.bits]
        }.map { try $0.get() }
        #expect(bits[0] == bits[1])
        #expect(bits[0][0] != bits[0][1])
    }

    /// A peer whose table is larger is refused before anything is added.
    @Test func rowsThatNoTableHasAreRefused() throws {
        let deal = ReplicaDeal.equal(replicaCount: 2, worldSize: 2)
        let listeners = try Self.listeners(2)
        let results = onThreads(2) { rank in
            let group = try Self.ring(rank: rank, listeners: listeners, deal: deal)
            defer { group.close() }
            let worker = Worker(rows: rank == 0 ? 60 : 10) { _, replica in
                replica == 0 ? [3, 30] : [3, 5]
            }
            worker.executor.join(group)
            defer {
                group.shutdown()
                worker.executor.leave()
            }
            try worker.run(step: 0)
        }
        guard case .failure(StepError.collective(let error)) = results[1] else {
            Issue.record("\(results[1])")
            return
        }
        #expect(
            error.description.contains("a worker sent rows of replica 0 that no table has"))
    }
}
