/// What the links of a ring may go through.
package enum LinkTransport: String, CaseIterable, Sendable {
    /// Shared memory where both ends can reach it, else TCP, link by link.
    case auto
    case tcp
    case shm
}
