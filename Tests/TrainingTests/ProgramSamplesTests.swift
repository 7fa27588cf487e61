// A program's samples and losses in steps of several replicas.

import Autodiff
import Collectives
import DataParallel
import Foundation
import NeuralNetworks
import Configuration
import Learning
import Models
import Tensors
import Testing
import Training

@Suite struct ProgramSamplesTests {
    private static func configuration(
        _ targets: CustomDataConfiguration.Targets, steps: Int = 60
    ) throws -> RunConfiguration {
        try RunConfiguration.ofProgram(
            """
            { replicas: 2, batchSize: 5, steps: \(steps),
              optimizer: { type: "adam", learningRate: 0.1 } }
            """, model: CustomModelConfiguration(name: "Line", program: "tests"), targets: targets,
            settings: [])
    }

    /// y = 2 x - 1
    private static var line: Samples {
        let x = (0..<20).map { Float($0) / 10 - 1 }
        return Samples(Tensor(x, [20, 1]), values: Tensor(x.map { 2 * $0 - 1 }, [20, 1]))
    }

    private static func parts(_ samples: Samples, _ loss: Loss, outputs: Int = 1) -> ProgramParts {
        ProgramParts(
            network: { input, _, stream in Linear(input[0], outputs, stream: &stream) },
            samples: ProgramSamples(training: samples, test: samples, loss: loss))
    }

    /// Trains with one worker, and measures.
    private static func train(
        _ configuration: RunConfiguration, _ parts: ProgramParts
    ) throws -> (model: TrainedModel, sums: EvaluationSums) {
        let task = try configuration.loadTask(parts)
        let model = try TrainedModel(
            configuration, input: task.input, outputs: task.outputCount,
            stepsPerEpoch: task.plan.stepsPerEpoch, totalSteps: 60, parts: parts)
        let group = try ProcessGroup(
            rank: 0, generation: 1, deal: .equal(replicaCount: 2, worldSize: 1), previous: nil,
            next: nil, timeout: .seconds(1), add: ringAddition)
        let executor = ReplicatedStep(
            store: model.store, optimizer: model.optimizer, seed: configuration.seed,
            bucketByteCount: 64)
        executor.join(group)
        defer { executor.leave() }
        let source = task.passes(steps: 0..<60, replicas: 0..<2)
        for step in 0..<60 {
            _ = try executor.run(
                step: step, learningRate: model.schedule.learningRate(step: step),
                votes: StepVotes(), phase: { _ in },
                passes: { _ in [try source.next(model)] })
        }
        return (
            model,
            .total((0..<task.evaluationBatchCount).map { task.evaluate(batch: $0, model: model) })
        )
    }

    @Test func theMeanSquaredErrorIsThatOfAnOwnLoss() throws {
        let configuration = try Self.configuration(.values)
        let built = try Self.train(configuration, Self.parts(Self.line, .meanSquaredError))
        #expect(built.sums.loss < 1e-2, "\(built.sums.loss)")
        #expect(built.sums.sampleCount == 20)
        let own = try Self.train(
            configuration,
            Self.parts(
                Self.line,
                .own { output, batch in
                    guard let values = batch.values else { return output }
                    let difference = output - output.tape.constant(values)
                    return mean(difference * difference)
                }))
        for (one, other) in zip(built.model.store.values.scalars, own.model.store.values.scalars) {
            #expect(abs(one - other) < 1e-4)
        }
        #expect(configuration.evaluationNames.accuracy == nil)
    }

    @Test func classesAreCounted() throws {
        let x = (0..<20).map { Float($0) - 9.5 }
        let samples = Samples(Tensor(x, [20, 1]), classes: x.map { $0 > 0 ? 1 : 0 }, of: 2)
        let configuration = try Self.configuration(.classes)
        let trained = try Self.train(configuration, Self.parts(samples, .crossEntropy, outputs: 2))
        #expect(trained.sums.accuracy == 1)
        let own = try Self.train(
            configuration,
            Self.parts(
                samples,
                .own { output, batch in
                    softmaxCrossEntropy(output, labels: batch.classes).loss
                        * (1 / Float(batch.count))
                }, outputs: 2))
        #expect(own.sums.accuracy == 1)
        #expect(own.sums.correctCount == 20)
    }

    @Test func aBatchHoldsTheChosenSamples() {
        let batch = Self.line.batch([3, 0])
        #expect(batch.inputs.shape == [2, 1])
        #expect(batch.inputs.scalars == [Self.line.inputs.scalars[3], Self.line.inputs.scalars[0]])
        #expect(batch.values?.scalars.count == 2)
        #expect(Self.line.batch([]).count == 0)
    }

    @Test func theNetworkHasToFitTheTargets() throws {
        let parts = Self.parts(Self.line, .meanSquaredError, outputs: 3)
        #expect {
            try RunPreflight(try Self.configuration(.values), workerCount: 1, parts: parts)
        } throws: { error in
            "\(error)" == "model (Line): for one sample of 1 it gives 1x3, but 1x1 is needed"
        }
    }

    @Test func otherProgramsSayWhoseTheRunIs() throws {
        let configuration = try Self.configuration(.values)
        let words = "; train, measure and use"
        #expect {
            try RunPreflight(configuration, workerCount: 1)
        } throws: { error in
            "\(error)".contains("the program \"tests\"" + words)
        }
        let read = try RunConfiguration.parse(configuration.resolvedJSON(), origin: "config.json")
        #expect(read == configuration)
        let parts = ProgramParts(
            network: nil,
            samples: ProgramSamples(training: Self.line, test: Self.line, loss: .meanSquaredError))
        #expect {
            try RunPreflight(configuration, workerCount: 1, parts: parts)
        } throws: { error in
            "\(error)"
                == "model (Line): this network is defined in the program \"tests\"" + words
                + " it with that program"
        }
    }
}
