import Configuration
import NeuralNetworks

/// Plain recurrent layers.
struct RNNKind: RecurrentKind {
    static let name = "rnn"
    static let keys = RecurrentStackOptions.keys + ["nonlinearity"]

    enum Nonlinearity: String, CaseIterable, Sendable { case tanh, relu }

    let options: RecurrentStackOptions
    let nonlinearity: Nonlinearity

    init(_ reader: ConfigurationReader) throws(ConfigurationError) {
        options = try RecurrentStackOptions(reader)
        nonlinearity = try reader.name("nonlinearity") ?? .tanh
    }

    var resolved: [String: ConfigurationValue] {
        options.resolved.merging(["nonlinearity": .string(nonlinearity.rawValue)]) { $1 }
    }

    func layer(
        inputs: Int, units: Int, _ settings: RecurrentOptions, stream: inout InitializationStream
    ) -> any RecurrentLayer {
        RNN(
            inputs, units, activation: nonlinearity == .relu ? .relu : .tanh, options: settings,
            stream: &stream)
    }
}
