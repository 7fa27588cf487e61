/// How long a run lasts: a configuration says exactly one of `epochs` and `steps`.
package enum RunLength: Sendable, Equatable {
    case epochs(Int)
    case steps(Int)

    init(_ reader: ConfigurationReader) throws(ConfigurationError) {
        let epochs = try reader.integer("epochs", 1...1_000_000)
        let steps = try reader.integer("steps", 1...1_000_000_000)
        switch (epochs, steps) {
        case (let epochs?, nil): self = .epochs(epochs)
        case (nil, let steps?): self = .steps(steps)
        case (nil, nil): throw reader.missing("epochs", "the run's length: \"epochs\" or \"steps\"")
        default: throw reader.conflict("epochs", "give either \"epochs\" or \"steps\", not both")
        }
    }
}
