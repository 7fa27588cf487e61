// A step that breaks off and is taken up in another ring: what was computed is not computed again,
// the bits are those of an undisturbed step, and a worker that missed its end takes the reduced
// gradient.

import Autodiff
import Collectives
import DataParallel
import NeuralNetworks
import Tensors
import Testing
import Transport
import WireFormat

@Suite struct RecoveredStepTests {
    private struct Interruption: Error {}

    /// One linear layer with momentum and clipping; every replica has its own samples.
    private final class Worker {
        let store: ParameterStore
        let executor: ReplicatedStep
        private let layer: Linear
        private(set) var computed: [Int] = []

        private let optimizer: SGD
        private let clipping: GradientClipping

        init(clipping: GradientClipping = .none) {
            var stream = InitializationStream(seed: 1)
            layer = Linear(3, 2, stream: &stream)
            store = ParameterStore(adopting: layer)
            optimizer = SGD(count: store.values.count, momentum: 0.9)
            self.clipping = clipping
            executor = ReplicatedStep(store: store, seed: 1, sumCount: 1, bucketByteCount: 16)
        }

        deinit { executor.leave() }

        /// A ring that this worker has to itself.
        func joinAlone(generation: UInt32, replicas: Int = 4) throws -> ProcessGroup {
            let group = try ProcessGroup(
                rank: 0, generation: generation, deal: .equal(replicaCount: replicas, worldSize: 1),
                previous: nil, next: nil, timeout: .seconds(1), add: ringAddition)
            executor.join(group)
            return group
        }

        /// A ring of two that is shut down before anybody has said anything.
        func joinBroken(rank: Int, ranges: [Range<Int>]) throws {
            let listener = try Listener(try SocketAddress(host: "127.0.0.1", port: 0))
            defer { listener.close() }
            let next = try Connection.connect(
                to: listener.localAddress, until: .after(.seconds(10)))
            let previous = try listener.accept(until: .after(.seconds(10)))
            let group = try ProcessGroup(
                rank: rank, generation: 1, deal: try ReplicaDeal(ranges: ranges),
                previous: previous, next: next, timeout: .seconds(1), add: ringAddition)
            executor.join(group)
            group.shutdown()
        }

        func update(step: Int) -> StepUpdate {
            StepUpdate(
                optimizer: optimizer, clipping: clipping, learningRate: 0.5, number: step + 1)
        }

        func run(
            step: Int = 0, votes: StepVotes = StepVotes(), failingAt failure: Int? = nil
        ) throws -> StepSums {
            computed = []
            return try executor.run(
                step: step, update: update(step: step), votes: votes, phase: { _ in }
            ) { replica in
                if replica == failure { throw Interruption() }
                computed.append(replica)
                let x = Tensor([Float(replica) - 1.5, Float(step) / 3, 1], [1, 3])
                return [
                    MicroBatchPass(sampleCount: 1) { [layer] tape in
                        counted(
                            softmaxCrossEntropy(
                                layer(tape.constant(x)), labels: [Int32(replica % 2)]))
                    }
                ]
            }
        }

        var weights: [UInt32] { store.values.scalars.map(\.bitPattern) }
    }

    private func undisturbed(steps: Int = 1) throws -> (weights: [UInt32], sums: StepSums) {
        let worker = Worker()
        _ = try worker.joinAlone(generation: 1)
        var sums = try worker.run()
        for step in 1..<max(1, steps) { sums = try worker.run(step: step) }
        return (worker.weights, sums)
    }

    @Test func whatWasComputedIsKeptWhenTheRingBreaks() throws {
        let worker = Worker()
        let before = worker.weights
        try worker.joinAlone(generation: 1).shutdown()
        #expect(throws: StepError.self) { try worker.run() }
        #expect(worker.weights == before, "nothing is committed")
        worker.executor.leave()
        #expect(worker.executor.computedReplicas(step: 0) == [0, 1, 2, 3])
        #expect(worker.executor.computedReplicas(step: 1) == [])

        _ = try worker.joinAlone(generation: 2)
        #expect(worker.executor.missingReplicas(step: 0) == [])
        let sums = try worker.run()
        #expect(worker.computed == [])
        let expected = try undisturbed()
        #expect(worker.weights == expected.weights)
        #expect(sums == expected.sums)
    }

    @Test func onlyWhatIsMissingIsComputed() throws {
        let worker = Worker()
        _ = try worker.joinAlone(generation: 1)
        #expect(throws: Interruption.self) { try worker.run(failingAt: 2) }
        worker.executor.leave()
        #expect(worker.executor.computedReplicas(step: 0) == [0, 1])
        _ = try worker.joinAlone(generation: 2)
        #expect(worker.executor.missingReplicas(step: 0) == [2, 3])
        _ = try worker.run()
        #expect(worker.computed == [2, 3])
        #expect(try undisturbed().weights == worker.weights)
    }

    @Test(arguments: [0, 1]) func aSurvivorTakesOverTheReplicasOfTheLost(rank: Int) throws {
        let worker = Worker()
        try worker.joinBroken(rank: rank, ranges: [0..<2, 2..<4])
        #expect(throws: StepError.self) { try worker.run() }
        worker.executor.leave()
        let own = [[0, 1], [2, 3]][rank]
        #expect(worker.executor.computedReplicas(step: 0) == own)
        _ = try worker.joinAlone(generation: 2)
        _ = try worker.run()
        #expect(worker.computed == (0..<4).filter { !own.contains($0) })
        #expect(try undisturbed().weights == worker.weights)
    }

    @Test func forgottenGradientsAreComputedAgain() throws {
        let worker = Worker()
        try worker.joinAlone(generation: 1).shutdown()
        #expect(throws: StepError.self) { try worker.run() }
        worker.executor.leave()
        worker.executor.forgetGradients()
        #expect(worker.executor.computedReplicas(step: 0) == [])
        _ = try worker.joinAlone(generation: 2)
        _ = try worker.run()
        #expect(worker.computed == [0, 1, 2, 3])
        #expect(try undisturbed().weights == worker.weights)
    }

    @Test func gradientsOfReplicasGivenAwayAreNotKept() throws {
        let worker = Worker()
        try worker.joinAlone(generation: 1).shutdown()
        #expect(throws: StepError.self) { try worker.run() }
        worker.executor.leave()
        try worker.joinBroken(rank: 0, ranges: [0..<1, 1..<4])
        #expect(worker.executor.computedReplicas(step: 0) == [0])
        worker.executor.leave()
        _ = try worker.joinAlone(generation: 2)
        #expect(worker.executor.missingReplicas(step: 0) == [1, 2, 3])
        _ = try worker.run()
        #expect(try undisturbed().weights == worker.weights)
    }

    /// The votes of an attempt that broke must not count in the next one, wherever its replicas lie
    /// then.
    @Test func votesOfABrokenAttemptAreForgotten() throws {
        let worker = Worker()
        try worker.joinBroken(rank: 1, ranges: [0..<2, 2..<4])
        #expect(throws: StepError.self) {
            try worker.run(votes: StepVotes(stop: true, pause: true))
        }
        worker.executor.leave()
        _ = try worker.joinAlone(generation: 2)
        let sums = try worker.run()
        #expect(worker.computed == [0, 1])
        #expect(sums.votes == StepVotes())
        #expect(try undisturbed().weights == worker.weights)
    }

    @Test func votesCountThoughNothingIsComputed() throws {
        let worker = Worker()
        try worker.joinAlone(generation: 1).shutdown()
        #expect(throws: StepError.self) { try worker.run() }
        worker.executor.leave()
        _ = try worker.joinAlone(generation: 2)
        #expect(try worker.run(votes: StepVotes(pause: true)).votes == StepVotes(pause: true))
        #expect(worker.computed == [])
    }

    @Test(arguments: [GradientClipping.none, .globalNorm(0.1), .value(0.01)])
    func whoMissedTheEndTakesTheReducedGradient(clipping: GradientClipping) throws {
        let ahead = Worker(clipping: clipping)
        let behind = Worker(clipping: clipping)
        for worker in [ahead, behind] {
            _ = try worker.joinAlone(generation: 1)
            for step in 0..<3 { _ = try worker.run(step: step) }
        }
        let sums = try ahead.run(step: 3)
        #expect(ahead.weights != behind.weights)
        let given = ahead.executor.reducedGradient(step: 3)
        let taken = behind.executor.reducedGradient(step: 3)
        taken.pointer.update(from: given.pointer, count: given.count)
        let received = try behind.executor.commitReceived(
            step: 3, update: behind.update(step: 3))
        #expect(behind.weights == ahead.weights)
        #expect(
            received.lossSum == sums.lossSum && received.sampleCount == sums.sampleCount
                && received.values == sums.values)
        // Momentum and all: the step after it is the same too.
        #expect(try ahead.run(step: 4).lossSum == behind.run(step: 4).lossSum)
        #expect(behind.weights == ahead.weights)
    }

    @Test func theReducedGradientOutlivesABrokenNextStep() throws {
        let worker = Worker()
        let group = try worker.joinAlone(generation: 1)
        _ = try worker.run(step: 0)
        let reduced = worker.executor.reducedGradient(step: 0).scalars
        group.shutdown()
        #expect(throws: StepError.self) { try worker.run(step: 1) }
        worker.executor.leave()
        #expect(worker.executor.reducedGradient(step: 0).scalars == reduced)
    }
}
