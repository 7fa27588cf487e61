import WireFormat

/// A set of workers that train together.
package struct GenerationDescription: Hashable, Sendable {
    package var number: UInt32
    package var deal: ReplicaDeal
    /// By rank.
    package var workers: [WorkerDescription]
    package var startStep: Int
    package var arithmetic: String
    /// How members that are not at `startStep` get there.
    package var transfer: StateTransfer
    /// The rank whose state or reduced gradient the others take.
    package var root: Int
    /// Whether the root gets its state from the run's last checkpoint.
    package var restores: Bool
    /// Replicas of the coming step that were computed already and have to be computed again.
    package var recomputedCount: Int

    package init(
        number: UInt32, deal: ReplicaDeal, workers: [WorkerDescription], startStep: Int,
        arithmetic: String, transfer: StateTransfer = .none, root: Int = 0, restores: Bool = false,
        recomputedCount: Int = 0
    ) {
        self.number = number
        self.deal = deal
        self.workers = workers
        self.startStep = startStep
        self.arithmetic = arithmetic
        self.transfer = transfer
        self.root = root
        self.restores = restores
        self.recomputedCount = recomputedCount
    }
}
