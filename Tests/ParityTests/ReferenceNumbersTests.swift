import Foundation
import Testing

/// The tools of the parity tests, tested before the engine is held against them.
@Suite struct ReferenceNumbersTests {
    static let models = ["mlp", "cnn", "resnet20"]

    @Test(arguments: models) func theFormulaGivesTheScriptsValues(model: String) throws {
        let numbers = try ReferenceNumbers.load(model)
        let witness = numbers.witness
        let stream = ReferenceFormula.Stream("witness")
        #expect(witness.bits.indices.map { String(stream.bits($0)) } == witness.bits)
        let batch = numbers.batch(step: 0)
        #expect(batch.labels == witness.labels)
        #expect(batch.images.count == numbers.batchSize * ReferenceFormula.pixelCount)
        // Nine digits are stored; the values themselves are equal.
        #expect(
            witness.images.discrepancy(
                of: batch.images.map(Double.init), relativeTolerance: 1e-8) == nil)
        let initial = numbers.initialParameters(witness.start)
        #expect(Set(initial.keys) == Set(witness.parameters.keys))
        for (name, summary) in witness.parameters {
            let values = try #require(initial[name]).map(Double.init)
            #expect(summary.discrepancy(of: values, relativeTolerance: 1e-8) == nil, "\(name)")
        }
    }

    @Test(arguments: models) func everyTensorIsThereAndNotZero(model: String) throws {
        let numbers = try ReferenceNumbers.load(model)
        let names = Set(numbers.shapes.keys)
        #expect(Set(numbers.gradients.parameters.keys) == names)
        #expect(numbers.gradients.parameters.values.allSatisfy { $0.norm > 0 })
        #expect(numbers.gradients.statistics.isEmpty == (model != "resnet20"))
        #expect(numbers.runs.keys.contains("sgd") && numbers.runs.keys.contains("adam"))
        for run in numbers.runs.values {
            #expect(Set(run.changes.keys) == names && Set(run.parameterNorms.keys) == names)
            #expect(run.losses.count == 10 && run.losses.allSatisfy { $0.isFinite && $0 > 0 })
        }
    }

    @Test func aTensorThatIsOffIsNoticed() throws {
        let numbers = try ReferenceNumbers.load("mlp")
        let start = numbers.witness.start
        let name = "hidden1.weight"
        let right = try #require(numbers.initialParameters(start)[name]).map(Double.init)
        let summary = try #require(numbers.witness.parameters[name])
        #expect(summary.discrepancy(of: right, relativeTolerance: 1e-4) == nil)

        let scaled = right.map { $0 * 1.0005 }
        #expect(summary.discrepancy(of: scaled, relativeTolerance: 1e-4) != nil)

        // One element, and not a stored one: 1e-3 of the norm, which leaves the norm as it was.
        var oneOff = right
        oneOff[100] += 1e-3 * summary.norm
        #expect(summary.discrepancy(of: oneOff, relativeTolerance: 1e-4) != nil)

        var exchanged = right
        exchanged.swapAt(5, 786)
        #expect(summary.discrepancy(of: exchanged, relativeTolerance: 1e-4) != nil)

        var notANumber = right
        notANumber[7] = .nan
        #expect(summary.discrepancy(of: notANumber, relativeTolerance: 1e-4) != nil)
        #expect(summary.discrepancy(of: right.dropLast(), relativeTolerance: 1) != nil)
    }

    @Test func missingAndUnknownTensorsAreNamed() throws {
        let numbers = try ReferenceNumbers.load("cnn")
        let run = try #require(numbers.runs["sgd"])
        var final = numbers.initialParameters(run.start)
        let initial = final
        final["conv1.bias"] = nil
        final["conv9.bias"] = [1]
        let lines = run.discrepancies(ofParameters: final, initial: initial)
        #expect(lines.contains("conv1.bias: missing"))
        #expect(lines.contains("conv9.bias: not known to PyTorch"))
        // Nothing was trained, so every parameter is off by its whole change.
        #expect(lines.count == numbers.shapes.count + 1)
        #expect(run.discrepancies(ofLosses: run.losses).isEmpty)
        #expect(run.discrepancies(ofLosses: run.losses.map { $0 * 1.001 }).count == 10)
        #expect(run.discrepancies(ofLosses: [.nan]).count == 1)
    }
}
