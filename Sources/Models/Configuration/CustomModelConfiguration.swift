import Configuration

/// A network that a program defines.
package struct CustomModelConfiguration: Sendable, Equatable {
    /// The name of the network's type.
    package var name: String
    /// The program's file name.
    package var program: String

    package init(name: String, program: String) {
        self.name = name
        self.program = program
    }

    package static let keys = ["name", "program"]

    package init(_ reader: ConfigurationReader) throws(ConfigurationError) {
        name = try reader.required("name", "the name of the program's network") {
            reader, key throws(ConfigurationError) in try reader.text(key)
        }
        program = try reader.required("program", "the program's name") {
            reader, key throws(ConfigurationError) in try reader.text(key)
        }
    }

    package var members: [String: ConfigurationValue] {
        [
            "type": .string(ModelTypeName.custom.rawValue), "name": .string(name),
            "program": .string(program),
        ]
    }
}
