import Autodiff
import Collectives
import DataParallel
import NeuralNetworks
import Tensors
import TestSupport
import Testing
import Transport
import WireFormat

@Suite struct ReplicatedStepTests {
    @Test func bucketsCoverTheBufferFromItsEnd() {
        let plan = BucketPlan(
            parameterOffsets: [0, 100, 116, 300], parameterEnd: 310, totalCount: 326,
            bucketElementCount: 50)
        #expect(plan.buckets.map(\.elements) == [116..<326, 0..<116])
        #expect(plan.buckets.map(\.parameters) == [2..<4, 0..<2])
        #expect(plan.bucketOfParameter == [1, 1, 0, 0])
        let single = BucketPlan(
            parameterOffsets: [], parameterEnd: 0, totalCount: 16, bucketElementCount: 50)
        #expect(single.buckets == [.init(elements: 0..<16, parameters: 0..<0)])
    }

    /// One linear layer, R replicas with their own samples on one worker.
    private struct Fixture {
        let layer: Linear
        let store: ParameterStore
        let executor: ReplicatedStep

        private let update: StepUpdate

        init(
            replicas: Int, bucketByteCount: Int, clipping: GradientClipping = .none
        ) throws {
            var stream = InitializationStream(seed: 1)
            layer = Linear(3, 2, stream: &stream)
            store = ParameterStore(adopting: layer)
            let group = try ProcessGroup(
                rank: 0, generation: 1, deal: .equal(replicaCount: replicas, worldSize: 1),
                previous: nil, next: nil, timeout: .seconds(1), add: ringAddition)
            update = StepUpdate(
                optimizer: SGD(count: store.values.count), clipping: clipping, learningRate: 0.5,
                number: 1)
            executor = ReplicatedStep(
                store: store, seed: 1, sumCount: 1, bucketByteCount: bucketByteCount)
            executor.join(group)
        }

        func run(
            _ samples: (Int) -> [[(x: [Float], label: Int32)]], votes: StepVotes = StepVotes(),
            classWeights: [Float]? = nil
        ) throws -> StepSums {
            try executor.run(
                step: 0, update: update, votes: votes, phase: { _ in }
            ) { replica in
                samples(replica).map { batch in
                    MicroBatchPass(sampleCount: batch.count) { [layer] tape in
                        let x = Tensor(batch.flatMap(\.x), [batch.count, 3])
                        if let classWeights {
                            let loss = crossEntropy(
                                layer(tape.constant(x)), labels: batch.map(\.label),
                                classWeights: classWeights)
                            return counted((loss.loss, loss.sums))
                        }
                        return counted(
                            softmaxCrossEntropy(
                                layer(tape.constant(x)), labels: batch.map(\.label)))
                    }
                }
            }
        }
    }

    private func sample(_ index: Int) -> (x: [Float], label: Int32) {
        ([Float(index % 3), Float(index % 5) / 2, 1], Int32(index % 2))
    }

    /// Eight samples as 1 replica, as 4 replicas, as micro-batches, and with an empty replica: the
    /// same update up to rounding, for any size of buckets.
    @Test(arguments: [4, 32, 1_000_000]) func replicasAndMicroBatchesAddUp(bucketByteCount: Int)
        throws
    {
        let all = (0..<8).map(sample)
        func updated(_ replicas: Int, _ parts: @escaping (Int) -> [[Int]]) throws -> [Float] {
            let fixture = try Fixture(replicas: replicas, bucketByteCount: bucketByteCount)
            let sums = try fixture.run { replica in parts(replica).map { $0.map { all[$0] } } }
            #expect(sums.sampleCount == 8)
            #expect(sums.votes == StepVotes())
            fixture.executor.leave()
            return fixture.layer.weight.value.scalars
        }
        let whole = try updated(1) { _ in [Array(0..<8)] }
        let parts = [
            try updated(4) { [[2 * $0, 2 * $0 + 1]] },
            try updated(2) { [[4 * $0, 4 * $0 + 1], [4 * $0 + 2, 4 * $0 + 3]] },
            try updated(3) { $0 == 2 ? [[]] : [Array(4 * $0..<4 * $0 + 4)] },
            try updated(3) { $0 == 0 ? [] : [Array(4 * $0 - 4..<4 * $0), []] },
        ]
        #expect(parts.count == 4)
        for weights in parts {
            #expect(zip(weights, whole).allSatisfy { abs($0 - $1) < 1e-6 })
        }
        let fresh = try Fixture(replicas: 1, bucketByteCount: 4)
        #expect(fresh.layer.weight.value.scalars != whole)
        fresh.executor.leave()
    }

    /// A class of weight 2 counts as if each of its samples were there twice, though its samples
    /// are spread unevenly over the replicas.
    @Test func weightedLossesAreDividedByTheSumOfTheWeights() throws {
        let samples = (0..<6).map(sample)
        let weighted = try Fixture(replicas: 2, bucketByteCount: 1 << 20)
        defer { weighted.executor.leave() }
        let sums = try weighted.run(
            { [$0 == 0 ? Array(samples[..<1]) : Array(samples[1...])] }, classWeights: [0.5, 1])
        let twice = try Fixture(replicas: 1, bucketByteCount: 1 << 20)
        defer { twice.executor.leave() }
        let expected = try twice.run { _ in
            [samples.flatMap { $0.label == 1 ? [$0, $0] : [$0] }]
        }
        #expect(sums.lossWeight == 4.5)
        #expect(sums.sampleCount == 6)
        #expect(abs(sums.lossSum / 4.5 - expected.lossSum / 9) < 1e-6)
        let pairs = zip(
            weighted.layer.weight.value.scalars, twice.layer.weight.value.scalars)
        #expect(pairs.allSatisfy { abs($0 - $1) < 1e-6 })
    }

    @Test func samplesWithoutWeightChangeNothing() throws {
        let fixture = try Fixture(replicas: 2, bucketByteCount: 1 << 20)
        defer { fixture.executor.leave() }
        let before = fixture.layer.weight.value.scalars
        let sums = try fixture.run({ _ in [[sample(1)]] }, classWeights: [1, 0])
        #expect(sums.lossWeight == 0 && sums.sampleCount == 2)
        #expect(fixture.layer.weight.value.scalars == before)
    }

    /// The norm is that of the mean over all replicas, and the update has the length that is
    /// allowed.
    @Test(arguments: [1, 3]) func gradientIsClippedAfterTheReduction(replicas: Int) throws {
        func changes(_ clipping: GradientClipping) throws -> (norm: Double?, change: [Float]) {
            let fixture = try Fixture(
                replicas: replicas, bucketByteCount: 16, clipping: clipping)
            defer { fixture.executor.leave() }
            let before = fixture.store.values.scalars
            let sums = try fixture.run { [[sample($0), sample($0 + 3)]] }
            return (
                sums.gradientNorm, zip(before, fixture.store.values.scalars).map { $0 - $1 }
            )
        }
        func length(_ change: [Float]) -> Double {
            change.reduce(0) { $0 + Double($1) * Double($1) }.squareRoot()
        }
        // The rate is 0.5.
        let free = try changes(.none)
        #expect(free.norm == nil)
        let norm = 2 * length(free.change)
        let unused = try changes(.globalNorm(10))
        #expect(unused.change == free.change)
        #expect(unused.norm.map { abs($0 - norm) < 1e-6 } == true)
        let clipped = try changes(.globalNorm(0.1))
        #expect(clipped.norm == unused.norm)
        #expect(abs(length(clipped.change) - 0.05) < 1e-5)
        let limited = try changes(.value(0.01))
        let bounds = zip(limited.change, free.change)
        #expect(bounds.allSatisfy { abs($0 - max(-0.005, min(0.005, $1))) < 1e-6 })
    }

    @Test(arguments: [
        StepVotes(), StepVotes(stop: true), StepVotes(pause: true),
        StepVotes(stop: true, pause: true),
    ])
    func votesAndSumsTravelWithTheGradients(votes: StepVotes) throws {
        let fixture = try Fixture(replicas: 2, bucketByteCount: 1 << 20)
        defer { fixture.executor.leave() }
        let sums = try fixture.run({ [[sample($0)]] }, votes: votes)
        #expect(sums.votes == votes)
        #expect(sums.sampleCount == 2)
        #expect(sums.lossSum > 0)
    }

    @Test func divergedLossCommitsNothing() throws {
        let fixture = try Fixture(replicas: 1, bucketByteCount: 1 << 20)
        defer { fixture.executor.leave() }
        let before = fixture.layer.weight.value.scalars
        #expect(throws: StepError.self) {
            _ = try fixture.run { _ in [[(x: [.nan, 0, 0], label: 0)]] }
        }
        #expect(fixture.layer.weight.value.scalars == before)
    }

    /// Two workers in one process, each with two of four replicas, over shared memory or TCP, with
    /// a thread for the ring or without: the weights of a worker that is alone.
    @Test(arguments: [LinkTransport.shm, .tcp], [true, false])
    func aRingNeedsNoThreadOfItsOwn(transport: LinkTransport, hasSpareCore: Bool) throws {
        let deal = ReplicaDeal.equal(replicaCount: 4, worldSize: 2)
        let listeners = try (0..<2).map { _ in try Listener(.parse("127.0.0.1:0")) }
        let addresses = listeners.map(\.localAddress)
        let weights = try onThreads(2) { rank in
            let group = try RingConnector.connect(
                rank: rank, generation: 1, token: "t", deal: deal, addresses: addresses,
                listener: listeners[rank], timeout: .seconds(10), deadline: .after(.seconds(10)),
                transport: transport, add: ringAddition)
            defer { group.close() }
            #expect(group.isInMemory == (transport == .shm))
            return try steps(3, in: group, hasSpareCore: hasSpareCore)
        }.map { try $0.get() }
        let alone = try ProcessGroup(
            rank: 0, generation: 1, deal: .equal(replicaCount: 4, worldSize: 1), previous: nil,
            next: nil, timeout: .seconds(1), add: ringAddition)
        let expected = try steps(3, in: alone, hasSpareCore: true)
        #expect(Set(expected).count > 1)
        #expect(weights == [expected, expected])
    }

    /// The bits of the weights after some steps.
    private func steps(
        _ count: Int, in group: ProcessGroup, hasSpareCore: Bool
    ) throws -> [UInt32] {
        var stream = InitializationStream(seed: 1)
        let layer = Linear(70, 90, stream: &stream)
        let store = ParameterStore(adopting: layer)
        let executor = ReplicatedStep(
            store: store, seed: 1, sumCount: 0, bucketByteCount: 2_000, hasSpareCore: hasSpareCore)
        let optimizer = SGD(count: store.values.count, momentum: 0.9)
        executor.join(group)
        defer {
            group.shutdown()
            executor.leave()
        }
        for step in 0..<count {
            let sums = try executor.run(
                step: step,
                update: StepUpdate(optimizer: optimizer, learningRate: 0.5, number: step + 1),
                votes: StepVotes(), phase: { _ in }
            ) { replica in
                let x = Tensor(
                    (0..<140).map { Float(($0 * 7 + replica * 3 + step) % 11) }, [2, 70])
                return [
                    MicroBatchPass(sampleCount: 2) { tape in
                        let (loss, sums) = softmaxCrossEntropy(
                            layer(tape.constant(x)), labels: [Int32(replica), Int32(step)])
                        return (loss, PassSums(sums))
                    }
                ]
            }
            #expect(sums.sampleCount == 8)
        }
        return store.values.scalars.map(\.bitPattern)
    }
}

/// A loss of classes with the sum of a classifier: how many are right.
func counted(
    _ result: (loss: Variable, sums: LossSums)
) -> (loss: Variable, sums: PassSums) {
    (result.loss, PassSums(result.sums, values: [Double(result.sums.correctCount)]))
}
