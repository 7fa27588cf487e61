// The shuffle: a permutation, a function of (seed, epoch), fair.

import Datasets
import Testing

@Test(arguments: [0, 1, 2, 3, 10, 1000, 1001])
func orderIsAPermutation(sampleCount: Int) {
    let order = SampleOrder(seed: 3, epoch: 4, sampleCount: sampleCount)
    #expect(order.samples.sorted() == (0..<UInt32(sampleCount)).map { $0 })
}

@Test func orderDependsOnSeedAndEpochOnly() {
    let order = SampleOrder(seed: 1, epoch: 2, sampleCount: 500)
    #expect(order == SampleOrder(seed: 1, epoch: 2, sampleCount: 500))
    #expect(order.samples != SampleOrder(seed: 2, epoch: 2, sampleCount: 500).samples)
    #expect(order.samples != SampleOrder(seed: 1, epoch: 3, sampleCount: 500).samples)
}

@Test func orderIsTheOneOfEveryEarlierVersion() {
    // A change here changes the bits of every trained model, so it must be meant.
    #expect(SampleOrder(seed: 1, epoch: 0, sampleCount: 8).samples == [4, 6, 7, 3, 1, 2, 5, 0])
}

@Test func eachSampleComesEquallyOftenToEachPosition() {
    // 6 samples, 6000 orders: each cell of the table expects 1000 with a deviation of 29.
    var table = [[Int]](repeating: [Int](repeating: 0, count: 6), count: 6)
    for epoch in 0..<6000 {
        let order = SampleOrder(seed: 99, epoch: epoch, sampleCount: 6)
        for (position, sample) in order.samples.enumerated() { table[position][Int(sample)] += 1 }
    }
    for cell in table.joined() { #expect(abs(cell - 1000) < 150) }
}
