import Autodiff
import NeuralNetworks
import Tensors
import TestSupport
import Testing

/// A sparse table collects the rows that a pass touches; they are those of the dense gradient.
@Suite struct SparseTableTests {
    private struct Network: Module {
        let first: Linear
        let table: Embedding
        let frozen: Linear
        let last: Linear

        init(isSparse: Bool) {
            var stream = InitializationStream(seed: 5)
            first = Linear(3, 5, stream: &stream)
            table = Embedding(9, 5, paddingIndex: 2, isSparse: isSparse, stream: &stream)
            frozen = Linear(5, 3, stream: &stream)
            last = Linear(5, 2, stream: &stream)
            frozen.freeze()
        }

        /// Two lookups with tokens that repeat within and between them.
        func pass(_ tape: Tape) -> Variable {
            let a = table([4, 1, 4, 2, 0, 4], shape: [6], tape: tape)
            let b = table([8, 4, 2, 1, 1, 0], shape: [6], tape: tape)
            return last(relu(a * b + first(tape.constant(drawn("x", [6, 3])))))
        }

        /// Two micro-batches.
        func backward() {
            for _ in 0..<2 {
                let tape = Tape(
                    .training(seed: 1, step: 0, replica: 0, microBatch: 0, sampleCount: 6))
                let y = pass(tape)
                tape.backward(from: y, upstream: drawn("dy", y.shape))
            }
        }
    }

    @Test func sparseTablesLieBetweenTheTrainedAndTheFrozen() {
        let network = Network(isSparse: true)
        let before = network.table.weight.value.scalars
        let store = ParameterStore(adopting: network)
        #expect(store.trainedSlots.map(\.offset) == [0, 16, 32, 48])
        #expect(store.sparseSlots == [StateSlot(name: "table.weight", shape: [9, 5], offset: 64)])
        #expect(store.updatedSlots.map(\.name).last == "table.weight")
        #expect(store.trainedCount == 64 && store.updatedCount == 64 + 48)
        #expect(store.gradientCount == 64)
        #expect(store.values.count == 64 + 48 + 32)
        #expect(store.parameterSlots.first { $0.name == "frozen.weight" }?.offset == 112)
        #expect(network.table.weight.value.scalars == before)
        #expect(network.table.weight.value.pointer == store.values.pointer + 64)
        let dense = ParameterStore(adopting: Network(isSparse: false))
        #expect(dense.sparseSlots.isEmpty && dense.updatedCount == dense.trainedCount)
    }

    @Test func gradientIsTheDenseOne() throws {
        let dense = Network(isSparse: false)
        let sparse = Network(isSparse: true)
        var buffers: [Tensor] = []
        for network in [dense, sparse] {
            let store = ParameterStore(adopting: network)
            buffers.append(Tensor(zeros: [store.gradientCount]))
            store.bindGradients(to: buffers[buffers.count - 1])
            network.backward()
            store.finishGradients()
        }
        let expected = try #require(dense.table.weight.gradient?.scalars)
        let rows = try #require(sparse.table.weight.rowGradients)
        #expect(rows.rows.count == 4 && Set(rows.rows) == [0, 1, 4, 8])
        var found = [Float](repeating: 0, count: 45)
        var order: [Int] = []
        rows.forEachAscending { row, gradient in
            order.append(row)
            for column in 0..<5 { found[row * 5 + column] = gradient[column] }
        }
        #expect(order == [0, 1, 4, 8])
        #expect(found == expected)
        #expect(expected.contains { $0 != 0 })
        #expect(sparse.last.weight.gradient?.scalars == dense.last.weight.gradient?.scalars)
    }

    @Test func aFrozenTableCollectsNothing() {
        let network = Network(isSparse: true)
        let store = ParameterStore(adopting: network)
        network.table.weight.isFrozen = true
        store.bindGradients(to: Tensor(zeros: [store.gradientCount]))
        network.backward()
        #expect(network.table.weight.rowGradients?.rows == [])
        network.table.weight.isFrozen = false
        network.backward()
        #expect(network.table.weight.rowGradients?.rows.count == 4)
    }

    /// With repeated tokens in a recurrent layer, which multiplies the whole of a dense table.
    @Test func aRecurrentLayerLeavesTheOtherRowsAlone() {
        var stream = InitializationStream(seed: 3)
        let table = Embedding(3, 4, isSparse: true, stream: &stream)
        let layer = GRU(4, 5, stream: &stream)
        let store = ParameterStore(adopting: layer)
        let tables = ParameterStore(adopting: table)
        store.bindGradients(to: Tensor(zeros: [store.gradientCount]))
        tables.bindGradients(to: Tensor(zeros: [tables.gradientCount]))
        let tape = Tape(.training(seed: 1, step: 0, replica: 0, microBatch: 0, sampleCount: 1))
        let y = layer(table([0, 2, 0, 2, 0, 2, 2, 0], shape: [8, 1], tape: tape))
        tape.backward(from: y, upstream: drawn("dy", y.shape))
        #expect(Set(table.weight.rowGradients?.rows ?? []) == [0, 2])
    }

    @Test func rulesThatChangeUntouchedRowsSaySo() {
        func change(_ rule: any Optimizer, decay: Double = 1) -> String? {
            rule.changeOfUntouchedRows(in: 16..<32, decayFactor: decay)
        }
        #expect(change(SGD(count: 32)) == nil)
        #expect(change(SGD(count: 32, momentum: 0.9)) == "momentum")
        #expect(change(SGD(count: 32, weightDecay: 0.1)) == "weight decay")
        #expect(change(SGD(count: 32, weightDecay: 0.1), decay: 0) == nil)
        #expect(change(Adam(count: 32)) == nil)
        #expect(change(Adam(count: 32, weightDecay: 0.1)) == "weight decay")
        #expect(change(Adagrad(count: 32)) == nil)
        #expect(change(Adagrad(count: 32, weightDecay: 0.1)) == "weight decay")
        #expect(change(RMSProp(count: 32)) != nil)
        #expect(change(Adadelta(count: 32)) != nil)
        let grouped = Adam(count: 32, weightDecay: 0.1).grouped([
            ParameterGroup(ranges: [0..<16]), ParameterGroup(ranges: [16..<32], decayFactor: 0),
        ])
        #expect(change(grouped) == nil)
        #expect(grouped.changeOfUntouchedRows(in: 0..<16, decayFactor: 1) == "weight decay")
    }

    @Test func clippingTakesTheRowsIntoTheNorm() {
        let gradients = Tensor([3, 0, 0, 0], [4])
        let rows = RowGradients(rowCount: 1_000_000, width: 2)
        let added: [Int32] = [999_999, 7]
        added.withUnsafeBufferPointer { rows.add($0, [4, 0, 12, 0]) }
        let (scale, norm) = GradientClipping.globalNorm(6.5).apply(
            to: gradients.pointer, count: 4, rows: [rows], gradientScale: 0.5)
        #expect(norm == 6.5)
        #expect(abs(scale - 0.5) < 1e-6)
        _ = GradientClipping.value(1).apply(
            to: gradients.pointer, count: 4, rows: [rows], gradientScale: 0.5)
        #expect(gradients.scalars == [2, 0, 0, 0])
        #expect(rows.values == [2, 0, 2, 0])
    }
}
