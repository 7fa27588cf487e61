import CommandLineTool
import Foundation
import TaskCatalog

// Buffers of the C library hold nothing: Console writes straight to the descriptors.
exit(Program(tasks: allTasks).run(Array(CommandLine.arguments.dropFirst())))
