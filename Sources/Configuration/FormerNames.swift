/// Values that were called otherwise by earlier versions, whose run folders are still read.
enum FormerNames {
    private static let renamed = [
        (object: "data", key: "format", former: "own", name: "custom"),
        (object: "model", key: "type", former: "own", name: "custom"),
    ]

    /// The tree with today's names.
    static func replaced(in tree: ConfigurationValue) -> ConfigurationValue {
        guard case .object(var members) = tree else { return tree }
        for entry in renamed {
            guard case .object(var inner) = members[entry.object],
                inner[entry.key] == .string(entry.former)
            else { continue }
            inner[entry.key] = .string(entry.name)
            members[entry.object] = .object(inner)
        }
        return .object(members)
    }
}
