/// A member of the run.
package struct WorkerDescription: Hashable, Sendable {
    package var rank: Int
    /// Its name for people and in the logs' names; it stays while ranks change.
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
