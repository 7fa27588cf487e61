import Foundation
import Testing

// An operation without a row, or without a named test elsewhere, fails here.

@Suite struct CoverageTests {
    private static let root = URL(fileURLWithPath: #filePath)
        .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent()

    /// Operations whose tests need more than the table can say: the file that holds them, and a
    /// word by which it names them if not by their own (a layer, for instance).
    private static let elsewhere: [String: (file: String, word: String?)] = {
        var places: [String: (file: String, word: String?)] = [
            "dropout": ("AutodiffTests/Tape/TapeTests.swift", nil),
            "layerNormalization": (
                "NeuralNetworksTests/Sequences/SequenceGradientTests.swift", "LayerNorm("
            ),
            "recurrentSequence": ("NeuralNetworksTests/Sequences/SequencePropertyTests.swift", nil),
        ]
        for name in [
            "averagePool2d", "batchNormalization", "convolution2d", "flatten", "globalAveragePool",
            "linear", "maxPool2d", "softmaxCrossEntropy",
        ] { places[name] = ("AutodiffTests/Operations/OperationGradientTests.swift", nil) }
        for name in [
            "full", "arange", "eye", "uniform", "normal", "bernoulli", "permutation",
            "categorical", "nextRandom",
        ] { places[name] = ("AutodiffTests/OperationTable/CreationTests.swift", nil) }
        for name in [
            "convolution1d", "groupNormalization", "highway", "reversedSteps",
            "swapLeadingDimensions", "transposedConvolution2d", "zeroPaddedSteps",
        ] { places[name] = ("NeuralNetworksTests/Sequences/SequenceGradientTests.swift", nil) }
        for (name, word) in [
            ("linearGELU", nil), ("addPositions", "Positions"),
            ("additiveAttention", "AdditiveAttention"),
            ("scaledDotProductAttention", "MultiHeadAttention"),
        ] { places[name] = ("NeuralNetworksTests/Attention/AttentionReferenceTests.swift", word) }
        for name in [
            "absoluteLoss", "cosineLoss", "crossEntropy", "ctcLoss", "divergenceLoss",
            "gaussianDivergence", "huberLoss", "logisticLoss", "negativeLogLikelihood",
            "negativeSamplingLoss", "squaredLoss",
        ] { places[name] = ("AutodiffTests/Losses/LossReferenceTests.swift", nil) }
        return places
    }()

    /// Members that are no operations: requirements of protocols and views of index arrays.
    private static let members: Set = ["hash", "==", "reshaped"]

    private func publicFunctions() throws -> [String: String] {
        let folder = Self.root.appendingPathComponent("Sources/Autodiff")
        let pattern = try Regex(#"public (?:static )?(?:prefix )?func ([A-Za-z0-9_]+|[-+*/=]+)"#)
        let beside = ["ActivationHooks.swift", "CheckpointedSegment.swift"]
        var found: [String: String] = [:]
        for file in try FileManager.default.subpathsOfDirectory(atPath: folder.path)
        where file.hasSuffix(".swift") && (file.hasPrefix("Operations/") || beside.contains(file)) {
            let text = try String(
                contentsOf: folder.appendingPathComponent(file), encoding: .utf8)
            for match in text.matches(of: pattern) {
                if let name = match.output[1].substring { found[String(name)] = file }
            }
        }
        return found
    }

    @Test func everyOperationHasARow() throws {
        let functions = try publicFunctions()
        #expect(functions.count > 60)
        let rows = Set(OperationTable.rows().flatMap(\.functions))
        for (name, file) in functions.sorted(by: { $0.key < $1.key }) where !rows.contains(name) {
            if Self.members.contains(name) { continue }
            guard let test = Self.elsewhere[name] else {
                Issue.record("\(name) of \(file) has no row in the table of operations")
                continue
            }
            let path = Self.root.appendingPathComponent("Tests/\(test.file)")
            let text = try? String(contentsOf: path, encoding: .utf8)
            #expect(
                text?.contains(test.word ?? "\(name)(") == true,
                "\(name) of \(file) is not tested in \(test.file)")
        }
    }

    @Test func everyRowHasAnOperation() throws {
        let functions = Set(try publicFunctions().keys)
        for row in OperationTable.rows() {
            for name in row.functions {
                #expect(functions.contains(name), "row \(row.name) names \(name)")
            }
        }
    }
}
