import Foundation

// What the library offers, read from its sources: a layer or a loss that no comparison with PyTorch
// names fails a test. Layers are compared in two suites; a layer that is not listed here belongs to
// SequenceLayerTests, and is missed there.

package enum PublicNames {
    /// The layers whose cases are in AttentionTests.
    package static let attentionLayers: Set = [
        "AdditiveAttention", "FeedForward", "LearnedPositions", "MultiHeadAttention",
        "MultiplicativeAttention", "SinusoidalPositions", "TransformerDecoderLayer",
        "TransformerEncoderLayer",
    ]

    /// The public types of Sources/NeuralNetworks/Layers that are modules.
    package static func layers() throws -> Set<String> {
        try names(
            in: "Sources/NeuralNetworks/Layers", files: { _ in true },
            #"public (?:struct|(?:final )?class) (\w+):[^{]*\b(?:Layer|Module|RecurrentLayer)\b"#)
    }

    /// The public functions of the files of losses.
    package static func losses() throws -> Set<String> {
        try names(
            in: "Sources/Autodiff/Operations",
            files: { $0.hasPrefix("Losses") || $0 == "SoftmaxCrossEntropy.swift" },
            #"\npublic func (\w+)"#)
    }

    private static func names(
        in folder: String, files: (String) -> Bool, _ pattern: String
    ) throws -> Set<String> {
        let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
            .deletingLastPathComponent().deletingLastPathComponent()
            .appendingPathComponent(folder)
        let pattern = try Regex(pattern)
        var found: Set<String> = []
        for file in try FileManager.default.subpathsOfDirectory(atPath: folder.path)
        where file.hasSuffix(".swift") && files(URL(fileURLWithPath: file).lastPathComponent) {
            let text = try String(
                contentsOf: folder.appendingPathComponent(file), encoding: .utf8)
            for match in text.matches(of: pattern) {
                if let name = match.output[1].substring { found.insert(String(name)) }
            }
        }
        return found
    }
}
