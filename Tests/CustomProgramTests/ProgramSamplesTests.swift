// A program's samples and losses in steps of several replicas.

import Autodiff
import Configuration
import CustomProgram
import Foundation
import Learning
import LearningTestSupport
import Models
import NeuralNetworks
import Rondo
import Tensors
import Testing
import Training

@Suite struct ProgramSamplesTests {
    private static func configuration(
        _ targets: TargetKind, _ tasks: TaskList = TaskList([TaskKind(CustomProgramTask.self)]),
        steps: Int = 60
    ) throws -> RunConfiguration {
        try RunConfiguration.ofProgram(
            """
            { replicas: 2, batchSize: 5, steps: \(steps),
              optimizer: { type: "adam", learningRate: 0.1 } }
            """, model: CustomModelConfiguration(name: "Line", program: "tests"), targets: targets,
            settings: [], tasks: tasks)
    }

    /// y = 2 x - 1
    private static var line: Samples {
        let x = (0..<20).map { Float($0) / 10 - 1 }
        return Samples(Tensor(x, [20, 1]), values: Tensor(x.map { 2 * $0 - 1 }, [20, 1]))
    }

    private static func tasks(_ samples: Samples, _ loss: Loss, outputs: Int = 1) -> TaskList {
        TaskList(
            [
                CustomProgramTask.kind(
                    ProgramSamples(training: samples, test: samples, loss: loss))
            ],
            customNetwork: CustomNetwork { input, _, stream in
                Linear(input[0], outputs, stream: &stream)
            })
    }

    /// Trains with one worker, and measures.
    private static func train(
        _ targets: TargetKind, _ tasks: TaskList
    ) throws -> (model: TrainedModel, figures: FigureValues, count: Double) {
        let configuration = try configuration(targets, tasks)
        let run = try LocalRun(configuration)
        try run.train(to: 60)
        let sums = try run.task.evaluation.total()
        return (run.model, configuration.task.metrics.figures(ofEvaluation: sums), sums[0])
    }

    @Test func theMeanSquaredErrorIsThatOfACustomLoss() throws {
        let built = try Self.train(.values, Self.tasks(Self.line, .meanSquaredError))
        let loss = try #require(built.figures["test_loss"])
        #expect(loss < 1e-2)
        #expect(built.count == 20)
        let custom = try Self.train(
            .values,
            Self.tasks(
                Self.line,
                .custom { output, batch in
                    guard let values = batch.values else { return output }
                    let difference = output - output.tape.constant(values)
                    return mean(difference * difference)
                }))
        for (one, other) in zip(built.model.store.values.scalars, custom.model.store.values.scalars)
        {
            #expect(abs(one - other) < 1e-4)
        }
        #expect(built.figures["test_accuracy"] == nil)
    }

    @Test func classesAreCounted() throws {
        let x = (0..<20).map { Float($0) - 9.5 }
        let samples = Samples(Tensor(x, [20, 1]), classes: x.map { $0 > 0 ? 1 : 0 }, of: 2)
        let trained = try Self.train(.classes, Self.tasks(samples, .crossEntropy, outputs: 2))
        #expect(trained.figures["test_accuracy"] == 1)
        let custom = try Self.train(
            .classes,
            Self.tasks(
                samples,
                .custom { output, batch in
                    softmaxCrossEntropy(output, labels: batch.classes).loss
                        * (1 / Float(batch.count))
                }, outputs: 2))
        #expect(custom.figures["test_accuracy"] == 1)
        #expect(custom.count == 20)
    }

    @Test func aBatchHoldsTheChosenSamples() {
        let batch = Self.line.batch([3, 0])
        #expect(batch.inputs.shape == [2, 1])
        #expect(batch.inputs.scalars == [Self.line.inputs.scalars[3], Self.line.inputs.scalars[0]])
        #expect(batch.values?.scalars.count == 2)
        #expect(Self.line.batch([]).count == 0)
    }

    @Test func theNetworkHasToFitTheTargets() throws {
        let tasks = Self.tasks(Self.line, .meanSquaredError, outputs: 3)
        #expect {
            try RunPreflight(try Self.configuration(.values, tasks), workerCount: 1)
        } throws: { error in
            "\(error)" == "model (Line): for one sample of 1 it gives 1x3, but 1x1 is needed"
        }
    }

    @Test func otherProgramsSayWhoseTheRunIs() throws {
        let configuration = try Self.configuration(.values)
        let hint = "; train, measure and use"
        #expect {
            try RunPreflight(configuration, workerCount: 1)
        } throws: { error in
            "\(error)".contains("the program \"tests\"" + hint)
        }
        let samples = ProgramSamples(training: Self.line, test: Self.line, loss: .meanSquaredError)
        let withoutNetwork = TaskList([CustomProgramTask.kind(samples)])
        let read = try RunConfiguration.parse(
            configuration.resolvedJSON(), origin: "config.json", tasks: withoutNetwork)
        #expect(read == configuration)
        #expect {
            try RunPreflight(read, workerCount: 1)
        } throws: { error in
            "\(error)"
                == "model (Line): this network is defined in the program \"tests\"" + hint
                + " it with that program"
        }
    }

    /// Versions before called what a program brings "own".
    @Test func formerNamesAreRead() throws {
        let now = try Self.configuration(.values)
        let text = String(decoding: now.resolvedJSON(), as: UTF8.self)
            .replacing("\"custom\"", with: "\"own\"")
            .replacing("  \"task\": \"customProgram\",\n", with: "")
        #expect(text.contains("\"own\""))
        let read = try RunConfiguration.parse(
            Data(text.utf8), origin: "config.json",
            tasks: TaskList([TaskKind(CustomProgramTask.self)]))
        #expect(read == now)
    }
}
