// What a run's folder holds from the start: by what the run was configured, which data it learns
// from, and the files of its task.

import Checkpoints
import Configuration
import Learning
import RunFolders

extension RunFolder {
    /// Describes a run in a folder that has been prepared for it, before the run's own files are
    /// made.
    package func describe(_ configuration: RunConfiguration, _ outline: TaskOutline) throws {
        try AtomicFile.write(configuration.resolvedJSON(), to: configurationPath)
        try DataFingerprint(ofFiles: configuration.task.data.paths)?.write(in: self)
        try write(outline.files)
    }
}
