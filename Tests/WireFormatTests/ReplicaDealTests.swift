import Foundation
import Testing
import WireFormat

@Suite struct ReplicaDealTests {
    @Test func equalPartsDifferByOneAtMostAndTheFirstGetMore() {
        #expect(
            ReplicaDeal.equal(replicaCount: 4, worldSize: 4).ranges == [0..<1, 1..<2, 2..<3, 3..<4])
        #expect(ReplicaDeal.equal(replicaCount: 8, worldSize: 3).ranges == [0..<3, 3..<6, 6..<8])
        for worldSize in 1...9 {
            for replicaCount in worldSize...20 {
                let deal = ReplicaDeal.equal(replicaCount: replicaCount, worldSize: worldSize)
                let counts = deal.ranges.map(\.count)
                #expect(deal.worldSize == worldSize && deal.replicaCount == replicaCount)
                #expect(counts == counts.sorted(by: >) && counts[0] - counts[worldSize - 1] <= 1)
                for (rank, range) in deal.ranges.enumerated() {
                    for replica in range { #expect(deal.owner(of: replica) == rank) }
                }
            }
        }
    }

    @Test(
        arguments: [
            ([], "it has no worker"),
            ([1..<2], "the range of rank 0 starts at 1, expected 0"),
            ([0..<2, 3..<4], "the range of rank 1 starts at 3, expected 2"),
            ([0..<2, 1..<4], "the range of rank 1 starts at 1, expected 2"),
            ([0..<2, 2..<2], "the range of rank 1 is empty"),
            ([0..<65_537], "65537 replicas, at most 65536 are possible"),
        ] as [([Range<Int>], String)])
    func invalidRangesAreRefused(_ ranges: [Range<Int>], _ reason: String) {
        #expect(throws: WireFormatError.invalidDeal(reason)) { try ReplicaDeal(ranges: ranges) }
    }

    @Test func codingRoundTrips() throws {
        let deal = try ReplicaDeal(ranges: [0..<3, 3..<4, 4..<9])
        let data = try JSONEncoder().encode(deal)
        #expect(String(decoding: data, as: UTF8.self) == #"{"replicaCounts":[3,1,5]}"#)
        #expect(try JSONDecoder().decode(ReplicaDeal.self, from: data) == deal)
    }

    @Test(arguments: [
        "[]", "{}", #"{"replicaCounts":[]}"#, #"{"replicaCounts":[0]}"#,
        #"{"replicaCounts":[2,-1]}"#, #"{"replicaCounts":[65536,1]}"#,
        #"{"replicaCounts":[9223372036854775807,9223372036854775807]}"#,
        #"{"replicaCounts":[1.5]}"#, #"{"replicaCounts":"4"}"#,
    ])
    func decodedDealsAreChecked(_ text: String) {
        #expect(throws: (any Error).self) {
            try JSONDecoder().decode(ReplicaDeal.self, from: Data(text.utf8))
        }
    }
}
