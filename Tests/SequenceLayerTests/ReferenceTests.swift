import Testing

/// Forward, input gradients and parameter gradients of every layer and option against PyTorch.
@Suite struct ReferenceTests {
    /// The tolerance of one number: its deviation over (absolute + relative * |expected|) is at most 1.
    private static let relative: Float = 1e-4
    private static let absolute: Float = 1e-5

    private struct Comparison {
        var count = 0
        var largestError: Float = 0
        var largestShare: Float = 0
    }

    @Test func layersAgreeWithPyTorch() throws {
        let cases = try ReferenceCase.all()
        #expect(cases.count > 60)
        var rows: [String: (cases: Int, Comparison)] = [:]
        for reference in cases {
            let layer = try ReferenceLayer(reference)
            let computed = layer.run(reference)
            #expect(Set(computed.keys) == Set(reference.tensors.keys), "\(reference.name)")
            let kind = String(reference.name.prefix { $0 != "/" })
            var (caseCount, row) = rows[kind] ?? (0, Comparison())
            for (name, expected) in reference.tensors {
                let share = compare(computed[name] ?? [], expected.values, into: &row)
                #expect(share <= 1, "\(reference.name): \(name) is off, \(share) of the tolerance")
            }
            caseCount += 1
            rows[kind] = (caseCount, row)
        }
        printTable(rows)
    }

    private func compare(
        _ computed: [Float], _ expected: [Float], into row: inout Comparison
    ) -> Float {
        guard computed.count == expected.count else { return .infinity }
        var largest: Float = 0
        for (a, b) in zip(computed, expected) {
            let error = abs(a - b)
            // A NaN fails: it is not at most anything.
            let share = error / (Self.absolute + Self.relative * abs(b))
            guard share.isFinite else { return .infinity }
            largest = max(largest, share)
            row.largestError = max(row.largestError, error)
        }
        row.count += expected.count
        row.largestShare = max(row.largestShare, largest)
        return largest
    }

    private func printTable(_ rows: [String: (cases: Int, Comparison)]) {
        func column(_ text: String, _ width: Int) -> String {
            text + String(repeating: " ", count: max(1, width - text.count))
        }
        print(
            column("layer", 18) + column("cases", 8) + column("numbers", 10)
                + column("largest error", 16) + "share of rtol 1e-4, atol 1e-5")
        for (name, (cases, row)) in rows.sorted(by: { $0.key < $1.key }) {
            print(
                column(name, 18) + column("\(cases)", 8) + column("\(row.count)", 10)
                    + column("\(row.largestError)", 16) + "\(row.largestShare)")
        }
    }
}
