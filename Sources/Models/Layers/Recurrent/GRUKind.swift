import Configuration
import NeuralNetworks

/// Gated recurrent units.
struct GRUKind: RecurrentKind {
    static let name = "gru"

    let options: RecurrentStackOptions

    init(_ reader: ConfigurationReader) throws(ConfigurationError) {
        options = try RecurrentStackOptions(reader)
    }

    func layer(
        inputs: Int, units: Int, _ settings: RecurrentOptions, stream: inout InitializationStream
    ) -> any RecurrentLayer {
        GRU(inputs, units, options: settings, stream: &stream)
    }
}
