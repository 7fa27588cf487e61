import Autodiff
import NeuralNetworks
import Tensors

// The networks that `rondo bench train` times: the usual small ones, in sizes that other trainers
// are measured with too. Inputs are random, of the real shapes; only speed is of interest.

/// A network with its loss on a fixed batch, and how it is trained.
package struct Workload {
    /// Holds the parameters.
    package let model: any Module
    /// Samples of one replica's batch.
    package let batchSize: Int
    package let makeOptimizer: (_ parameterCount: Int) -> any Optimizer
    package let learningRate: Double
    package let forward: (Tape) -> (loss: Variable, sums: LossSums)

    package init(
        model: any Module, batchSize: Int, learningRate: Double,
        optimizer makeOptimizer: @escaping (Int) -> any Optimizer,
        forward: @escaping (Tape) -> (loss: Variable, sums: LossSums)
    ) {
        self.model = model
        self.batchSize = batchSize
        self.learningRate = learningRate
        self.makeOptimizer = makeOptimizer
        self.forward = forward
    }
}

/// The workloads by name.
package enum WorkloadName: String, CaseIterable, Sendable {
    case mlp, cnn, resnet20, lstm, gpt, seq2seq

    /// Builds the workload; its batch differs between replicas, its weights do not.
    package func workload(replica: Int) -> Workload {
        switch self {
        case .mlp: .multilayerPerceptron(replica: replica)
        case .cnn: .convolutionalNetwork(replica: replica)
        case .resnet20: .residualNetwork(replica: replica)
        case .lstm: .recurrentLanguageModel(replica: replica)
        case .gpt: .transformerLanguageModel(replica: replica)
        case .seq2seq: .sequenceToSequence(replica: replica)
        }
    }
}
