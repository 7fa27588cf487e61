import Autodiff
import Collectives
import DataParallel
import Foundation
import Models
import NeuralNetworks
import Configuration
import Learning
import Tensors
import TestSupport
import Testing
import WireFormat

/// The engine against PyTorch on the shipped networks: the same weights and batches through the same code
/// that trains, one replica on one worker.
@Suite struct EngineParityTests {
    static let runs = [
        ("mlp", "sgd"), ("mlp", "nesterov"), ("mlp", "adam"), ("mlp", "adamw"), ("cnn", "sgd"),
        ("cnn", "adam"), ("cnn", "adamw"), ("resnet20", "sgd"), ("resnet20", "adam"),
    ]

    @Test func networksAgreeWithPyTorch() throws {
        var table = ComparisonTable(
            "Networks against PyTorch, errors relative to the norms of their tensors")
        for model in ["mlp", "cnn", "resnet20"] {
            try lossAndEveryGradient(model, &table)
        }
        for (model, optimizer) in Self.runs { try tenSteps(model, optimizer, &table) }
        table.print()
    }

    private func lossAndEveryGradient(_ model: String, _ table: inout ComparisonTable) throws {
        let numbers = try ReferenceNumbers.load(model)
        let network = try ParityNetwork(model, numbers, start: numbers.gradients.start)
        let gradients = Tensor(zeros: [network.store.gradientCount])
        network.store.bindGradients(to: gradients)
        let batch = numbers.batch(step: 0)
        let tape = Tape(
            .training(
                seed: 1, step: 0, replica: 0, microBatch: 0, sampleCount: batch.labels.count))
        let (loss, sums) = network.loss(of: batch, on: tape)
        tape.backward(from: loss)
        let count = Float(batch.labels.count)
        let mean = Double(sums.lossSum / count)
        let problem = ReferenceNumbers.discrepancy(
            ofLoss: mean, reference: numbers.gradients.loss)
        #expect(problem == nil, "\(model)")
        // The engine's gradients are sums over the batch, PyTorch's are means.
        let means = network.named(network.store.parameterSlots) {
            network.store.parameter(at: $0).gradient?.scalars.map { $0 / count } ?? []
        }
        #expect(numbers.gradients.discrepancies(ofGradients: means) == [], "\(model)")
        network.store.updateStatistics(
            sums: gradients.pointer + network.store.values.count, sampleCount: count)
        let statistics = network.named(network.store.statisticSlots) {
            network.slice(network.store.statistics, network.store.statisticSlots[$0])
        }
        #expect(numbers.gradients.discrepancies(ofStatistics: statistics) == [], "\(model)")
        var largest = LargestError()
        largest.add(loss: mean, reference: numbers.gradients.loss)
        numbers.gradients.measure(gradients: means, statistics: statistics, into: &largest)
        table.add("\(model), gradients", error: largest.error, share: largest.share)
    }

    private func tenSteps(
        _ model: String, _ optimizer: String, _ table: inout ComparisonTable
    ) throws {
        let numbers = try ReferenceNumbers.load(model)
        let run = try #require(numbers.runs[optimizer])
        let network = try ParityNetwork(model, numbers, start: run.start)
        let group = try ProcessGroup(
            rank: 0, generation: 1, deal: .equal(replicaCount: 1, worldSize: 1), previous: nil,
            next: nil, timeout: .seconds(1), add: ringAddition)
        let executor = ReplicatedStep(
            store: network.store,
            optimizer: try run.settings.optimizer(count: network.store.values.count),
            seed: 1, bucketByteCount: 1 << 20)
        executor.join(group)
        defer { executor.leave() }
        var losses: [Double] = []
        for step in run.losses.indices {
            let batch = numbers.batch(step: step)
            let sums = try executor.run(
                step: step, learningRate: run.settings.learningRate, votes: StepVotes(),
                phase: { _ in }
            ) { _ in
                [
                    MicroBatchPass(sampleCount: batch.labels.count) { tape in
                        network.loss(of: batch, on: tape)
                    }
                ]
            }
            losses.append(Double(sums.lossSum) / Double(sums.sampleCount))
        }
        #expect(run.discrepancies(ofLosses: losses) == [], "\(model), \(optimizer)")
        let final = network.named(network.store.parameterSlots) {
            network.store.parameter(at: $0).value.scalars
        }
        let initial = numbers.initialParameters(run.start)
        #expect(
            run.discrepancies(ofParameters: final, initial: initial) == [],
            "\(model), \(optimizer)")
        let batch = numbers.batch(step: 0)
        let (_, sums) = network.loss(of: batch, on: Tape(.evaluation))
        let evaluationLoss = Double(sums.lossSum) / Double(sums.sampleCount)
        #expect(
            ReferenceNumbers.discrepancy(ofLoss: evaluationLoss, reference: run.evaluationLoss)
                == nil, "\(model), \(optimizer)")
        var largest = LargestError()
        largest.add(loss: evaluationLoss, reference: run.evaluationLoss)
        run.measure(losses: losses, parameters: final, initial: initial, into: &largest)
        table.add("\(model), ten steps", error: largest.error, share: largest.share)
    }
}

/// A shipped configuration's network, without dropout, with the reference's initial weights.
private struct ParityNetwork {
    let network: Sequential
    let store: ParameterStore

    init(_ model: String, _ numbers: ReferenceNumbers, start: ReferenceStart) throws {
        let path = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
            .appendingPathComponent("../../configs/fashion-mnist-\(model).json").path
        var configuration = try RunConfiguration.load(path: path)
        // PyTorch draws its masks from another generator.
        let dropout = configuration.model.layers.indices.filter {
            configuration.model.layers[$0].type == "dropout"
        }
        if !dropout.isEmpty {
            configuration = try RunConfiguration.load(
                path: path, overrides: dropout.map { "model.layers.\($0).probability=0" })
        }
        network = try ModelBuilder.build(
            configuration.model, input: .image(channels: 1, height: 28, width: 28), outputs: 10,
            seed: 1)
        store = ParameterStore(adopting: network)
        let initial = numbers.initialParameters(start)
        #expect(Set(initial.keys) == Set(store.parameterSlots.map(\.name)))
        for (index, slot) in store.parameterSlots.enumerated() {
            let values = try #require(initial[slot.name])
            #expect(values.count == slot.shape.count)
            store.parameter(at: index).value.pointer.update(from: values, count: values.count)
        }
    }

    func loss(of batch: ReferenceBatch, on tape: Tape) -> (loss: Variable, sums: LossSums) {
        let images = Tensor(batch.images, [batch.labels.count, 28, 28, 1])
        return softmaxCrossEntropy(network(tape.constant(images)), labels: batch.labels)
    }

    func named(_ slots: [StateSlot], _ values: (Int) -> [Float]) -> [String: [Float]] {
        Dictionary(uniqueKeysWithValues: slots.indices.map { (slots[$0].name, values($0)) })
    }

    func slice(_ flat: Tensor, _ slot: StateSlot) -> [Float] {
        flat.slice(from: slot.offset, slot.shape).scalars
    }
}

extension ReferenceNumbers.Settings {
    fileprivate func optimizer(count: Int) throws -> any Optimizer {
        if type == "sgd" {
            return SGD(
                count: count, momentum: try #require(momentum), nesterov: nesterov == true,
                weightDecay: weightDecay)
        }
        return Adam(
            count: count, beta1: try #require(beta1), beta2: try #require(beta2),
            epsilon: try #require(epsilon), weightDecay: weightDecay,
            decoupledDecay: type == "adamw")
    }
}
