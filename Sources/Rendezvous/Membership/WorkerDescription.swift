/// A member of the run.
package struct WorkerDescription: Hashable, Sendable {
    package var rank: Int
    /// The slot that it fills: its name for people and in the names of logs. It stays while ranks
    /// change.
    package var slot: Int
    package var hostName: String
    package var processID: Int32
    package var arithmetic: String

    package init(
        rank: Int, slot: Int, hostName: String, processID: Int32, arithmetic: String
    ) {
        self.rank = rank
        self.slot = slot
        self.hostName = hostName
        self.processID = processID
        self.arithmetic = arithmetic
    }
}
