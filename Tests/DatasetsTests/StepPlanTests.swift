// Who gets which samples: each once per epoch, whatever the numbers.

import Datasets
import Testing

private func plan(
    _ sampleCount: Int, _ replicas: Int, _ accumulation: Int, _ batchSize: Int,
    _ lastBatch: StepPlan.LastBatch
) throws -> StepPlan {
    try StepPlan(
        dataName: "data", sampleCount: sampleCount, replicas: replicas, accumulation: accumulation,
        batchSize: batchSize, lastBatch: lastBatch)
}

@Test(arguments: StepPlan.LastBatch.allCases, [1, 2, 3, 4, 8])
func everySampleOncePerEpoch(lastBatch: StepPlan.LastBatch, replicas: Int) throws {
    for accumulation in [1, 2, 5] {
        for batchSize in [1, 3, 8] {
            let whole = replicas * accumulation * batchSize
            for sampleCount in [whole, whole + 1, 2 * whole - 1, 2 * whole, 3 * whole + 7, 997] {
                guard sampleCount >= whole else { continue }
                let plan = try plan(sampleCount, replicas, accumulation, batchSize, lastBatch)
                // The second epoch, so that the step's number is not the epoch's.
                var next = 0
                for step in plan.stepsPerEpoch..<(2 * plan.stepsPerEpoch) {
                    var sizes: [Int] = []
                    for replica in 0..<replicas {
                        for microBatch in 0..<accumulation {
                            let slot = plan.slot(
                                step: step, replica: replica, microBatch: microBatch)
                            #expect(slot.epoch == 1)
                            #expect(slot.positions.lowerBound == next)
                            next = slot.positions.upperBound
                            sizes.append(slot.positions.count)
                        }
                    }
                    #expect(sizes.reduce(0, +) == plan.positions(ofStep: step).count)
                    #expect((sizes.max() ?? 0) - (sizes.min() ?? 0) <= 1)
                    #expect((sizes.max() ?? 0) <= batchSize)
                    if plan.positions(ofStep: step).count == whole {
                        #expect(Set(sizes) == [batchSize])
                    }
                    #expect(plan.endsEpoch(step) == (step == 2 * plan.stepsPerEpoch - 1))
                }
                let dropped = lastBatch == .drop ? sampleCount % whole : 0
                #expect(next == sampleCount - dropped)
            }
        }
    }
}

@Test func restOfAnEpochIsSharedOut() throws {
    let plan = try plan(14, 4, 1, 2, .pad)
    #expect(plan.stepsPerEpoch == 2)
    let sizes = (0..<4).map { plan.slot(step: 1, replica: $0, microBatch: 0).positions.count }
    #expect(sizes == [1, 2, 1, 2])
    let tiny = try StepPlanTests.slots(of: StepPlanTests.tiny())
    #expect(tiny == [0, 0, 0, 1])
}

private enum StepPlanTests {
    static func tiny() throws -> StepPlan { try plan(1, 4, 1, 2, .pad) }
    static func slots(of plan: StepPlan) throws -> [Int] {
        (0..<4).map { plan.slot(step: 0, replica: $0, microBatch: 0).positions.count }
    }
}

@Test func tooFewSamplesAreRefused() {
    let error = #expect(throws: DataError.self) { try plan(31, 4, 1, 8, .drop) }
    #expect(
        error?.description
            == "data: holds 31 samples, but a step (replicas x accumulation x batchSize) needs "
            + "at least 32")
    #expect(throws: DataError.self) { try plan(0, 4, 1, 8, .pad) }
}

@Test func workListsOfAllWorkersTogetherAreTheEpoch() throws {
    let plan = try plan(100, 5, 2, 3, .pad)
    for deal in [[0..<5], [0..<2, 2..<5], [0..<1, 1..<2, 2..<3, 3..<4, 4..<5]] {
        var positions: [Int] = []
        for replicas in deal {
            let list = plan.workList(steps: 0..<plan.stepsPerEpoch, replicas: replicas)
            let requests = Array(list)
            #expect(requests.count == plan.stepsPerEpoch * replicas.count * 2)
            positions += requests.flatMap(\.positions)
        }
        #expect(positions.sorted() == Array(0..<100))
    }
    // Resuming in the middle continues the same list.
    let whole = Array(plan.workList(steps: 0..<10, replicas: 1..<3))
    let rest = Array(plan.workList(steps: 6..<10, replicas: 1..<3))
    #expect(Array(whole.dropFirst(6 * 4)) == rest)
    #expect(Array(plan.workList(steps: 3..<3, replicas: 0..<5)).isEmpty)
}
