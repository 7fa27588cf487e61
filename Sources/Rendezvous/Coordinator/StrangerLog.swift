import Transport

/// Bounds what strangers can write into the log: a line each for the first few, then one last line.
struct StrangerLog {
    private static let lineLimit = 20
    private var lineCount = 0

    mutating func line(_ address: SocketAddress, _ reason: String) -> String? {
        lineCount += 1
        if lineCount <= Self.lineLimit { return "dropped a connection from \(address): \(reason)" }
        return lineCount == Self.lineLimit + 1
            ? "more unknown connections are dropped without a line each" : nil
    }
}
