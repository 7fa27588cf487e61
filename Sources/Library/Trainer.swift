import RunFolders
import Checkpoints
import CustomProgram
import ExitCodes
import Foundation
import Launching
import Models
import Configuration
import Learning
import RunProcesses
import TaskCatalog
import Training

// A program's own network on the same workers as a configured one.
//
//     program                      Trainer.init ... train
//     program coordinator ...      Trainer.init coordinates the run and ends the process
//     program worker ...           Trainer.init computes its replicas and ends the process
//
// The child processes run the same program, because only it has the network. They execute it up to
// the line that makes the Trainer, so that line must precede everything that should happen only
// once.

/// Trains a network that the program defines, with several worker processes.
///
/// Make it at the beginning of `main`: the processes of a run execute the same program, and in them
/// `init` does not return.
public final class Trainer<Model: Layer> {
    /// Builds the network for one sample's input shape and the number of outputs.
    public typealias MakeModel = (
        _ input: Shape, _ outputs: Int, _ stream: inout InitializationStream
    ) -> Model

    private let name: String
    private let configuration: RunConfiguration
    private let makeModel: MakeModel
    private let tasks: TaskList
    private let role: ProgramRole?

    /// A Trainer for the data that a configuration names.
    ///
    /// - Parameters:
    ///   - name: tells the Trainers of one program apart.
    ///   - configuration: a file's path or a JSON5 text, as `rondo train` takes them; the network
    ///     replaces its `model`.
    ///   - settings: changes to keys of the configuration, such as "optimizer.learningRate=0.01".
    /// - Throws: what is wrong with the configuration.
    public convenience init(
        name: String = "\(Model.self)", configuration: String, settings: [String] = [],
        model: @escaping MakeModel
    ) throws {
        try self.init(
            name: name, configuration, settings, samples: nil, makeModel: model)
    }

    /// A Trainer for data that the program has; they replace the configuration's `data`.
    public convenience init(
        name: String = "\(Model.self)", configuration: String, settings: [String] = [],
        training: Samples, test: Samples, loss: Loss, model: @escaping MakeModel
    ) throws {
        try self.init(
            name: name, configuration, settings,
            samples: ProgramSamples(training: training, test: test, loss: loss), makeModel: model)
    }

    private init(
        name: String, _ text: String, _ settings: [String], samples: ProgramSamples?,
        makeModel: @escaping MakeModel
    ) throws {
        self.name = name
        self.makeModel = makeModel
        let network = CustomNetwork { input, outputs, stream in
            makeModel(input, outputs, &stream)
        }
        let kinds = samples.map { [CustomProgramTask.kind($0)] } ?? allTasks
        tasks = TaskList(kinds, customNetwork: network)
        role = ProgramRole.ofThisProcess
        if let role, role.model == name { role.runAndExit(tasks) }
        // In a child process of another Trainer the texts may depend on arguments that are missing
        // here.
        if let role {
            configuration = try role.configuration(TaskList(allTasks))
            return
        }
        configuration = try RunConfiguration.ofProgram(
            text, model: CustomModelConfiguration(name: name, program: ProgramRole.programName),
            targets: samples?.targets, settings: settings, tasks: tasks)
    }

    /// Trains with `workers` processes on this machine. The weights do not depend on their number.
    ///
    /// - Parameters:
    ///   - output: the run's folder; nil is "runs/" and the configuration's name.
    ///   - start: what to do with a run that the folder already holds.
    ///   - showsProgress: whether standard error shows the progress.
    /// - Throws: `TrainingFailure`, or what is wrong with the configuration or the folder.
    @discardableResult
    public func train(
        workers: Int = 1, output: String? = nil, start: RunStart = .new, showsProgress: Bool = true
    ) throws -> TrainingResult {
        if let role {
            throw TrainingFailure(
                exitCode: .failed,
                message: "this process belongs to the run of \(role.model), whose Trainer has not"
                    + " been made: make all Trainers before the first of them trains")
        }
        guard workers <= configuration.replicas else {
            throw WorkerCountError(workers: workers, replicas: configuration.replicas)
        }
        precondition(workers > 0, "\(workers) workers")
        let folder = RunFolder(path: output ?? "runs/\(configuration.name)")
        try folder.check(start.mode)
        let program = try ProgramRole.program(model: name, configuration)
        let outcome = try RunSupervisor.run(
            WorkerSlots(local: workers, program: program, threads: configuration.threads),
            program: program,
            coordinator: ProgramRole.coordinatorArguments(
                folder: folder, mode: start.mode, showsProgress: showsProgress),
            successor: ProgramRole.coordinatorArguments(
                folder: folder, mode: .resume, showsProgress: showsProgress), folder: folder)
        guard outcome.exitCode == .done, let line = outcome.result else {
            let reason =
                outcome.exitCode == .interrupted
                ? "interrupted; start: .resuming goes on" : "no result"
            throw TrainingFailure(
                exitCode: outcome.exitCode, message: outcome.message ?? reason,
                logLines: outcome.logLines)
        }
        return try TrainingResult(line: line)
    }

    /// The network of a run that has ended, with its weights.
    public func load(_ folder: String) throws -> Model {
        let path = "\(folder)/\(TrainedModel.modelFileName)"
        let file = try SafetensorsReader.read(path: path)
        guard let input = file.metadata["input"].flatMap(Shape.init(text:)),
            let outputs = file.metadata["outputs"].flatMap({ Int($0) })
        else {
            throw StateMismatch(
                file: path, problem: "is not of a network that a program defines")
        }
        var stream = InitializationStream(seed: configuration.seed)
        let model = makeModel(input, outputs, &stream)
        try model.load(file, fileName: path)
        return model
    }

    /// Measures the network of a run that has ended on its test data, in this process.
    public func evaluate(_ folder: String) throws -> TestFigures {
        let run = try FinishedRun(folder, tasks: tasks)
        let sums = try run.evaluate()
        let metrics = run.configuration.task.metrics
        let figures = metrics.figures(ofEvaluation: sums)
        return TestFigures(
            accuracy: figures["test_accuracy"], loss: figures[metrics.lossKey] ?? .nan,
            sampleCount: metrics.sampleCount(ofEvaluation: sums))
    }
}

/// What to do with a run that the folder already holds.
public enum RunStart: Sendable {
    /// Refuses to start: the folder must hold no run.
    case new
    /// Continues it from its last checkpoint, with any number of workers.
    case resuming
    /// Replaces it.
    case overwriting

    var mode: RunFolder.Mode {
        switch self {
        case .new: .begin
        case .resuming: .resume
        case .overwriting: .overwrite
        }
    }
}

extension Shape {
    /// Reads a description.
    fileprivate init?(text: String) {
        let sizes = text.split(separator: "x").map { Int($0) }
        guard !sizes.isEmpty, sizes.allSatisfy({ $0 ?? -1 >= 0 }) else { return nil }
        self.init(sizes.compactMap { $0 })
    }
}
