import TestSupport
import Testing

/// Forward, input gradients and parameter gradients of every layer and option against PyTorch.
@Suite struct LayerReferenceTests {
    @Test func layersAgreeWithPyTorch() throws {
        let cases = try ReferenceCase.all()
        #expect(cases.count > 100)
        var table = ComparisonTable("Layers against PyTorch, rtol 1e-4, atol 1e-5")
        for reference in cases {
            let layer = try ReferenceLayer(reference)
            let computed = layer.run(reference)
            #expect(Set(computed.keys) == Set(reference.tensors.keys), "\(reference.name)")
            var worst = (error: 0.0, share: 0.0)
            for (name, expected) in reference.tensors {
                let (error, share) = ReferenceTable.comparison(
                    of: computed[name] ?? [], with: expected.values)
                #expect(share <= 1, "\(reference.name): \(name) is off, \(share) of the tolerance")
                worst = (max(worst.error, error), max(worst.share, share))
            }
            table.add("\(type(of: layer.module))", error: worst.error, share: worst.share)
        }
        table.print()
        let layers = try PublicNames.layers()
        #expect(layers.count > 30)
        let missing = layers.subtracting(PublicNames.attentionLayers).subtracting(table.kinds)
            .sorted()
        #expect(missing == [], "public layers without a case in reference/layers.json")
    }
}
