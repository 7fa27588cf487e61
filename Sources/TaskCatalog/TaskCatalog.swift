import CustomProgram
import ImageClassification
import ImageReconstruction
import LanguageModel
import Learning
import Translation

/// The one list of tasks. Only the top imports it, and hands it down as a value. A format without the key `task` stands
/// for the first task that has it.
package let allTasks = [
    TaskKind(ImageClassificationTask.self),
    TaskKind(ImageReconstructionTask.self),
    TaskKind(LanguageModelTask.self),
    TaskKind(TranslationTask.self),
    TaskKind(CustomProgramTask.self),
]
