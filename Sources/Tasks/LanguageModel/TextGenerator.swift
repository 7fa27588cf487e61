import Datasets
import ExitCodes
import Learning
import Models
import NeuralNetworks

/// A model that cannot continue a text because its training diverged.
package struct DivergedModel: ExitCoded, Equatable, CustomStringConvertible {
    let folder: String

    package var exitCode: ExitCode { .failed }

    package init(folder: String) {
        self.folder = folder
    }

    package var description: String {
        "the model in \(folder) gives NaN instead of probabilities: its training diverged; "
            + "train it with a lower learning rate"
    }
}

/// Continues texts with a finished run's language model, in this process. Needs the run's folder
/// alone.
package final class TextGenerator {
    package let vocabulary: Vocabulary
    private let network: StepwiseNetwork
    private let folder: String

    /// - Throws: `DataError`, `CheckpointError`, `StateMismatch`, `ModelError` naming a layer with
    ///   which a text cannot be continued.
    package init(_ run: FinishedRun, _ task: LanguageModelTask) throws {
        folder = run.folder
        let layers: Sequential
        (layers, vocabulary) = try task.network(of: run)
        network = try StepwiseNetwork(
            task.model, network: layers, input: .tokens(task.text.context),
            outputs: vocabulary.count)
    }

    /// - Throws: `DataError` for a character of the prompt that the model does not know.
    package func check(prompt: String) throws(DataError) { _ = try beginning(prompt) }

    /// Continues a text.
    ///
    /// - Parameters:
    ///   - prompt: what it begins with; empty: as if a line had just ended.
    ///   - count: symbols to add.
    ///   - emit: gets each piece of the new text as it is complete; false ends the text early.
    /// - Returns: the symbols added.
    /// - Throws: `DataError` for a character of the prompt that the model does not know.
    package func generate(
        prompt: String, count: Int, seed: UInt64, temperature: Double, topCount: Int?,
        emit: (String) -> Bool
    ) throws -> Int {
        network.removeAll()
        var decoder = TokenDecoder(vocabulary)
        var symbols = try beginning(prompt)
        // What comes between the prompt's last word and the next one belongs to the new text.
        if !prompt.isEmpty { for symbol in symbols { _ = decoder.append(symbol) } }
        var sampler = SymbolSampler(
            seed: seed, temperature: temperature, topCount: topCount,
            excluding: 0..<vocabulary.specialCount)
        for generated in 0..<count {
            guard let symbol = sampler.choose(network.logits(after: symbols)) else {
                throw DivergedModel(folder: folder)
            }
            guard emit(decoder.append(symbol)) else { return generated }
            symbols = [symbol]
        }
        _ = emit(decoder.finish())
        return count
    }

    /// The symbols before the first new one, at least one: those of the prompt, or else a line
    /// break, or the first symbol of a vocabulary without it.
    private func beginning(_ prompt: String) throws(DataError) -> [Int32] {
        let symbols = try vocabulary.encode(prompt, name: "the prompt")
        if !symbols.isEmpty { return symbols }
        if let lineBreak = try? vocabulary.encode("\n"), !lineBreak.isEmpty { return lineBreak }
        return [Int32(min(vocabulary.specialCount, vocabulary.count - 1))]
    }
}
