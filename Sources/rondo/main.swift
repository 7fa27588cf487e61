import CommandLineTool
import Foundation

// Buffers of the C library hold nothing: Console writes straight to the descriptors.
exit(Program.run(Array(CommandLine.arguments.dropFirst())))
