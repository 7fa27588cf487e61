// The whole of `rondo` with a few more tasks, each of which needs one thing of the core that the
// shipped tasks do not use. Their runs are killed, stopped and resumed like any other.

import CommandLineTool
import Foundation
import Learning
import TaskCatalog

private let proofTasks = [
    TaskKind(RivalNetworks.self), TaskKind(ReplayedState.self), TaskKind(Rollout.self),
    TaskKind(PaddedSequences.self), TaskKind(FrozenHalf.self), TaskKind(TwoLosses.self),
    TaskKind(SparseRows.self),
]

exit(Program(tasks: allTasks + proofTasks).run(Array(CommandLine.arguments.dropFirst())))
