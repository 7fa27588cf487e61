import Configuration
import NeuralNetworks

/// Long short-term memory.
struct LSTMKind: RecurrentKind {
    static let name = "lstm"

    let options: RecurrentStackOptions

    init(_ reader: ConfigurationReader) throws(ConfigurationError) {
        options = try RecurrentStackOptions(reader)
    }

    func layer(
        inputs: Int, units: Int, _ settings: RecurrentOptions, stream: inout InitializationStream
    ) -> any RecurrentLayer {
        LSTM(inputs, units, options: settings, stream: &stream)
    }
}
