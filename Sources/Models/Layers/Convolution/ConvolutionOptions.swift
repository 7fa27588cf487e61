import Configuration

/// The options that all convolutions share.
struct ConvolutionOptions: Sendable {
    let outputChannels: Int
    let groups: Int
    let bias: Bool
    let initializer: InitializerName

    /// Reads "groups", "bias" and "initializer".
    init(_ reader: ConfigurationReader, outputChannels: Int) throws(ConfigurationError) {
        self.outputChannels = outputChannels
        groups = try reader.integer("groups", sizeRange) ?? 1
        guard outputChannels % groups == 0 else {
            throw reader.conflict(
                "groups", "\(groups) do not divide \(outputChannels) output channels")
        }
        bias = try reader.bool("bias") ?? true
        initializer = try reader.name("initializer") ?? .kaimingUniform
    }

    /// Reads the key that stands first in messages.
    static func outputChannels(_ reader: ConfigurationReader) throws(ConfigurationError) -> Int {
        try reader.requiredInteger("outputChannels", sizeRange)
    }

    /// Whether "padding" is the text "same".
    /// - Parameter pair: how the message writes a padding of two numbers, if there is one.
    static func padsToSameSize(
        _ reader: ConfigurationReader, pair: String?
    ) throws(ConfigurationError) -> Bool {
        guard case .string(let text) = reader.value("padding") else { return false }
        guard text == "same" else {
            let numbers = pair.map { "a whole number, \($0)" } ?? "a whole number"
            throw reader.outOfRange("padding", "\(numbers) or \"same\"", "\"\(text)\"")
        }
        return true
    }

    /// Whether there is a padding that keeps the size.
    static func checkSame(
        _ reader: ConfigurationReader, stride: [Int], kernel: [Int]
    ) throws(ConfigurationError) {
        guard stride.allSatisfy({ $0 == 1 }) else {
            throw reader.conflict("padding", "\"same\" needs a stride of 1")
        }
        guard kernel.allSatisfy({ $0 % 2 == 1 }) else {
            throw reader.conflict("padding", "\"same\" needs an odd kernel")
        }
    }

    var resolved: [String: ConfigurationValue] {
        [
            "outputChannels": .integer(outputChannels), "groups": .integer(groups),
            "bias": .bool(bias), "initializer": .string(initializer.rawValue),
        ]
    }

    func checkGroups(inputChannels: Int, _ context: LayerContext) throws(ModelError) {
        guard inputChannels % groups == 0 else {
            throw context.failure(
                "\(groups) groups do not divide \(inputChannels) input and"
                    + " \(outputChannels) output channels")
        }
    }
}
