import Foundation

/// A configuration's tree, read from a file or a text with its overrides applied.
package struct ConfigurationFile: Sendable {
    /// Larger files are refused before they are read.
    private static let byteCountLimit = 4 << 20

    package let tree: ConfigurationValue
    /// Names the configuration in errors.
    package let origin: String
    /// The run's name where the configuration gives none.
    package let defaultName: String

    /// Reads the file at `path` and applies `overrides` ("key.path=value") in order. An override
    /// of `steps` takes the place of the file's `epochs`, and the reverse.
    package init(path: String, overrides: [String] = []) throws(ConfigurationError) {
        let attributes: [FileAttributeKey: Any]
        let text: Data
        do {
            attributes = try FileManager.default.attributesOfItem(atPath: path)
            let byteCount = (attributes[.size] as? NSNumber)?.intValue ?? 0
            if attributes[.type] as? FileAttributeType == .typeDirectory {
                throw ConfigurationError(
                    origin: path, problem: .unreadable(reason: "it is a folder"))
            }
            if byteCount > Self.byteCountLimit {
                throw ConfigurationError(
                    origin: path,
                    problem: .tooLarge(byteCount: byteCount, limit: Self.byteCountLimit))
            }
            text = try Data(contentsOf: URL(fileURLWithPath: path))
        } catch let error as ConfigurationError {
            throw error
        } catch {
            let missing = !FileManager.default.fileExists(atPath: path)
            let reason = missing ? "no such file" : error.localizedDescription
            throw ConfigurationError(origin: path, problem: .unreadable(reason: reason))
        }
        let fileName = (path as NSString).lastPathComponent
        let name = fileName.hasSuffix(".json") ? String(fileName.dropLast(5)) : fileName
        try self.init(text, origin: path, defaultName: name, overrides: overrides)
    }

    /// Reads JSON5 text; `origin` names it in errors.
    package init(
        _ text: Data, origin: String, defaultName: String = "run", overrides: [String] = []
    ) throws(ConfigurationError) {
        guard text.contains(where: { !" \t\r\n".utf8.contains($0) }) else {
            throw ConfigurationError(origin: origin, problem: .empty)
        }
        var tree = try ConfigurationValue.parse(text, origin: origin)
        var parsed: [ConfigurationOverride] = []
        for override in overrides {
            parsed.append(try ConfigurationOverride(override, origin: origin))
        }
        tree = Self.dropReplacedLength(FormerNames.replaced(in: tree), parsed)
        for override in parsed { try override.apply(to: &tree, origin: origin) }
        self.tree = tree
        self.origin = origin
        self.defaultName = defaultName
    }

    private static func dropReplacedLength(
        _ tree: ConfigurationValue, _ overrides: [ConfigurationOverride]
    ) -> ConfigurationValue {
        guard case .object(var members) = tree else { return tree }
        for (given, replaced) in [("steps", "epochs"), ("epochs", "steps")]
        where overrides.contains(where: { $0.keys == [given] && $0.value != .null }) {
            members[replaced] = nil
        }
        return .object(members)
    }
}
