import Autodiff
import NeuralNetworks
import Tensors

// The gradients of the replicas that this worker owns: a flat buffer each, and the rows of each
// sparse table. They stay until the next step begins: when a step has to be repeated with other
// members, what is here is not computed again.

/// Buffers by replica. Used by one thread, as ReplicatedStep is.
struct ReplicaGradients {
    private final class Buffer {
        let gradients: Tensor
        let rows: [RowGradients]
        /// The step whose gradient is complete in it.
        var computedStep: Int?

        init(elementCount: Int, rows: [RowGradients]) {
            self.rows = rows
            // Zeros, because the gaps between parameters are reduced too and nobody writes them.
            gradients = Tensor(zeros: [elementCount])
        }
    }

    private let elementCount: Int
    private let store: ParameterStore
    private var buffers: [Int: Buffer] = [:]

    init(elementCount: Int, store: ParameterStore) {
        self.elementCount = elementCount
        self.store = store
    }

    /// Keeps the buffers of these replicas and makes those that are missing, from others' where
    /// possible.
    mutating func own(_ replicas: Range<Int>) {
        var spare = buffers.filter { !replicas.contains($0.key) }.map(\.value)
        buffers = buffers.filter { replicas.contains($0.key) }
        for replica in replicas where buffers[replica] == nil {
            let buffer =
                spare.popLast()
                ?? Buffer(elementCount: elementCount, rows: store.makeRowGradients())
            buffer.computedStep = nil
            buffers[replica] = buffer
        }
    }

    func buffer(of replica: Int) -> Tensor { owned(replica).gradients }

    /// By sparse table.
    func rows(of replica: Int) -> [RowGradients] { owned(replica).rows }

    private func owned(_ replica: Int) -> Buffer {
        guard let buffer = buffers[replica] else {
            preconditionFailure("replica \(replica) of \(buffers.keys.sorted())")
        }
        return buffer
    }

    /// The replicas, ascending, whose gradient of that step is here.
    func computed(step: Int) -> [Int] {
        buffers.filter { $0.value.computedStep == step }.keys.sorted()
    }

    func begin(replica: Int) { buffers[replica]?.computedStep = nil }

    func complete(replica: Int, step: Int) { buffers[replica]?.computedStep = step }

    /// Nothing that is here is of use any more.
    func forget() {
        for buffer in buffers.values { buffer.computedStep = nil }
    }
}
