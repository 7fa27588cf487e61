import Datasets
import Learning

/// The pairs of a run in symbols, and the vocabularies of the training part.
struct PairParts {
    let vocabularies: RunVocabularies
    let training: PairAssembler
    let test: PairAssembler
    let plan: StepPlan

    init(_ task: TranslationTask, _ run: RunContext) throws(DataError) {
        let data = try task.data.readBoth()
        let pairs = try PairedText(data.training)
        vocabularies = task.pairs.vocabularies(of: pairs)
        var training = try task.pairs.assembler(pairs, vocabularies, seed: run.settings.seed)
        plan = try run.stepPlan(
            dataName: pairs.name, sampleCount: training.sampleCount,
            lastBatch: task.pairs.lastBatch)
        if task.pairs.bucketing { training.bucketPlan = plan }
        self.training = training
        test = try task.pairs.assembler(
            PairedText(data.test), vocabularies, seed: run.settings.seed)
    }

    /// For the run's header.
    func summary(lengthLimit: Int) -> String {
        let left = training.droppedCount + test.droppedCount
        let (source, target) = (vocabularies.source.count, vocabularies.target.count)
        return "\(training.sampleCount) training and \(test.sampleCount) test pairs"
            + (left > 0 ? " (\(left) empty or of more than \(lengthLimit) symbols left out)" : "")
            + (vocabularies.isShared
                ? ", a vocabulary of \(source)" : ", vocabularies of \(source) and \(target)")
    }
}
