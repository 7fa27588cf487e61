package struct SocketAddress: Hashable, Codable, Sendable {}
