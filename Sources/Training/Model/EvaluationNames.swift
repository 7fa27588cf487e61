import Configuration
import Learning

// What an evaluation reports, and how the figures are called in files, in the result line and on the screen. The
// kind of task decides: a classifier has a test split with accuracy and loss, and so have pairs of texts, whose
// accuracy is the share that comes out right as a whole; a language model has a validation loss.

/// The names of the figures of a run's evaluation.
package struct EvaluationNames: Equatable, Sendable {
    /// Their keys in JSON; a person reads them with spaces.
    package let loss: String
    /// nil where a share of correct answers says nothing.
    package let accuracy: String?
    /// What is counted.
    package let samples: String

    package static let classification = EvaluationNames(
        loss: "test_loss", accuracy: "test_accuracy", samples: "images")
    package static let translation = EvaluationNames(
        loss: "test_loss", accuracy: "test_accuracy", samples: "pairs")
    package static let languageModel = EvaluationNames(
        loss: "validation_loss", accuracy: nil, samples: "symbols")
    fileprivate static let classes = EvaluationNames(
        loss: "test_loss", accuracy: "test_accuracy", samples: "samples")
    fileprivate static let values = EvaluationNames(
        loss: "test_loss", accuracy: nil, samples: "samples")
}

extension RunConfiguration {
    /// How the figures of this run's evaluations are called.
    package var evaluationNames: EvaluationNames {
        switch data {
        case .images: .classification
        case .text: .languageModel
        case .pairs: .translation
        case .own(let own): own.targets == .classes ? .classes : .values
        }
    }
}

/// An evaluation's figures with their names. As JSON they are members of the object around them.
package struct EvaluationFigures: Equatable, Sendable, Encodable {
    package let names: EvaluationNames
    package let loss: Double
    package let accuracy: Double

    package init(_ names: EvaluationNames, loss: Double, accuracy: Double) {
        self.names = names
        self.loss = loss
        self.accuracy = accuracy
    }

    /// Names and values as a person reads them.
    package var rows: [(name: String, value: String)] {
        var rows: [(String, String)] = []
        if let accuracy = names.accuracy {
            rows.append((Self.words(accuracy), ProgressText.percent(self.accuracy)))
        }
        return rows + [(Self.words(names.loss), ProgressText.fixed(loss, 4))]
    }

    /// "test accuracy 92.79 %, test loss 0.2130"
    package var words: String { rows.map { "\($0.name) \($0.value)" }.joined(separator: ", ") }

    private static func words(_ key: String) -> String { key.replacing("_", with: " ") }

    private struct Key: CodingKey {
        let stringValue: String
        var intValue: Int? { nil }

        init(_ name: String) { stringValue = name }
        init?(stringValue: String) { self.stringValue = stringValue }
        init?(intValue: Int) { nil }
    }

    package func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: Key.self)
        try container.encode(loss, forKey: Key(names.loss))
        if let accuracy = names.accuracy {
            try container.encode(self.accuracy, forKey: Key(accuracy))
        }
    }
}
