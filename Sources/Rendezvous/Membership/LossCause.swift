/// How the loss of a worker was noticed.
package enum LossCause: Hashable, Sendable {
    case connectionClosed
    case connectionFailed(String)
    case silent(Duration)
    case protocolViolation(String)
    case notReading
    /// It reported why it gave up.
    case gaveUp(String)
    /// It lives, but did not leave a broken ring in time.
    case stuck(Duration)
    /// It lives, but its neighbours cannot reach it.
    case cutOff

    /// Whether the process may still live, with its state, and come back by another connection.
    var isOfTheConnection: Bool {
        switch self {
        case .connectionClosed, .connectionFailed, .silent, .notReading: true
        case .protocolViolation, .gaveUp, .stuck, .cutOff: false
        }
    }
}
