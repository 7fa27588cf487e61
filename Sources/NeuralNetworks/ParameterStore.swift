import Autodiff
import CKernels
import Kernels
import Tensors

// All trained state of a model in flat buffers.
//
//   values      | conv1.weight | conv1.bias | ... | fc.bias | sparse tables | frozen parameters |
//   statistics  | bn1.running_mean | bn1.running_var | ... |
//   gradients   | conv1.weight | ... | fc.bias | contributions of the statistics | tail |
//
// Parameters that are frozen when the store is made lie behind the trained ones: gradients and
// optimizer state take no memory for them. Sparse tables lie between the two: they have optimizer
// state, but their gradients are lists of rows (RowGradients), one per table and local replica.
//
// Gradients, what batch norm saw, and the sums of the loss (tail) lie in one buffer, so that a
// bucket of the all-reduce is a slice of it. A worker has one such buffer per local replica;
// `bindGradients` points the parameters at the buffer of the replica that is computed next. Each
// parameter starts on a multiple of 16 floats (a cache line); the gaps are zero and stay so.

/// A parameter's or statistic's place in the flat buffers.
public struct StateSlot: Sendable, Equatable {
    /// The name in PyTorch's `state_dict`.
    public let name: String
    /// The sizes.
    public let shape: Shape
    /// The first element in `values` or `statistics`.
    public let offset: Int

    /// A place.
    public init(name: String, shape: Shape, offset: Int) {
        self.name = name
        self.shape = shape
        self.offset = offset
    }
}

/// Owns the flat buffers of one model. Used by one thread at a time, as the tape is.
public final class ParameterStore {
    /// Places of all parameters, in the model's order.
    public let parameterSlots: [StateSlot]
    /// Places of the parameters that are trained, in the model's order, which is that of their
    /// offsets: those that are neither frozen nor sparse. Their places in `values` are also those
    /// in gradients and optimizer state.
    public let trainedSlots: [StateSlot]
    /// Places of the sparse tables, in the model's order, which is that of their offsets. Their
    /// places in `values` are also those in optimizer state.
    public let sparseSlots: [StateSlot]
    /// Places of the running statistics.
    public let statisticSlots: [StateSlot]
    /// All parameters, gaps included.
    public let values: Tensor
    /// All running statistics.
    public let statistics: Tensor
    /// The densely trained part of `values`: what an optimizer updates as a whole. It shares the
    /// memory.
    public let trainedValues: Tensor
    /// The trained part of `values` and the sparse tables behind it. It shares the memory.
    public let updatedValues: Tensor
    /// Scalars of all parameters, gaps not counted.
    public let scalarCount: Int

    private let parameters: [Parameter]
    private let trainedParameters: [Parameter]
    private let sparseParameters: [Parameter]
    private let runningStatistics: [RunningStatistic]

    /// Floats of the densely trained parameters, gaps included.
    public var trainedCount: Int { trainedValues.count }
    /// Floats of the trained parameters and the sparse tables, gaps included: the length of
    /// optimizer state.
    public var updatedCount: Int { updatedValues.count }
    /// Places of all parameters that have optimizer state, in the order of their offsets.
    public var updatedSlots: [StateSlot] { trainedSlots + sparseSlots }
    /// Floats of a gradient buffer before the tail: trained parameters, then statistics.
    public var gradientCount: Int { trainedCount + statistics.count }

    /// Moves the model's parameters and statistics into flat buffers.
    public init(adopting model: any Module) {
        let (parameters, runningStatistics) = Self.states(of: model)
        let parts = parameters.map { Part(of: $0.1) }
        func floats(of part: Part) -> Int {
            zip(parameters, parts).reduce(0) {
                $1.1 == part ? $0 + Self.aligned($1.0.1.shape.count) : $0
            }
        }
        let trainedCount = floats(of: .trained)
        let updatedCount = trainedCount + floats(of: .sparse)
        var ends = [Part.trained: 0, .sparse: trainedCount, .frozen: updatedCount]
        parameterSlots = zip(parameters, parts).map { state, part in
            let (name, parameter) = state
            let offset = ends[part, default: 0]
            ends[part] = offset + Self.aligned(parameter.shape.count)
            return StateSlot(name: name, shape: parameter.shape, offset: offset)
        }
        var statisticCount = 0
        statisticSlots = runningStatistics.map { name, statistic in
            defer { statisticCount += Self.aligned(statistic.shape.count) }
            return StateSlot(name: name, shape: statistic.shape, offset: statisticCount)
        }
        trainedSlots = zip(parameterSlots, parts).filter { $1 == .trained }.map(\.0)
        sparseSlots = zip(parameterSlots, parts).filter { $1 == .sparse }.map(\.0)
        values = Tensor(zeros: [updatedCount + floats(of: .frozen)])
        trainedValues = values.slice(from: 0, [trainedCount])
        updatedValues = values.slice(from: 0, [updatedCount])
        statistics = Tensor(zeros: [statisticCount])
        scalarCount = parameterSlots.reduce(0) { $0 + $1.shape.count }
        self.parameters = parameters.map(\.1)
        trainedParameters = zip(self.parameters, parts).filter { $1 == .trained }.map(\.0)
        sparseParameters = zip(self.parameters, parts).filter { $1 == .sparse }.map(\.0)
        self.runningStatistics = runningStatistics.map(\.1)
        moveStates()
    }

    /// The parts of `values`, in their order.
    private enum Part {
        case trained, sparse, frozen

        init(of parameter: Parameter) {
            self = parameter.isFrozen ? .frozen : parameter.isSparse ? .sparse : .trained
        }
    }

    /// The parameters and statistics below a module under their names. A parameter that has two
    /// names (tied weights) goes by the first.
    private static func states(
        of model: any Module
    ) -> (parameters: [(String, Parameter)], statistics: [(String, RunningStatistic)]) {
        var parameters: [(String, Parameter)] = []
        var statistics: [(String, RunningStatistic)] = []
        for state in model.namedStates {
            switch state {
            case .parameter(let name, let parameter):
                if parameters.contains(where: { $0.1 === parameter }) { continue }
                parameters.append((name, parameter))
            case .statistic(let name, let statistic):
                statistics.append((name, statistic))
            }
        }
        return (parameters, statistics)
    }

    /// Copies all values to their places, where parameters and statistics find them from now on.
    private func moveStates() {
        for (parameter, slot) in zip(parameters, parameterSlots) {
            let slice = values.slice(from: slot.offset, slot.shape)
            slice.pointer.update(from: parameter.value.pointer, count: slot.shape.count)
            parameter.value = slice
            parameter.index = -1
            parameter.hasGradientMemory = !parameter.isFrozen
            if parameter.isFrozen || parameter.isSparse { parameter.gradient = nil }
        }
        for (index, parameter) in trainedParameters.enumerated() { parameter.index = index }
        for (statistic, slot) in zip(runningStatistics, statisticSlots) {
            let slice = statistics.slice(from: slot.offset, slot.shape)
            slice.pointer.update(from: statistic.value.pointer, count: slot.shape.count)
            statistic.value = slice
        }
    }

    private static func aligned(_ count: Int) -> Int { (count + 15) / 16 * 16 }

    /// An empty gradient for each sparse table.
    package func makeRowGradients() -> [RowGradients] {
        sparseSlots.map { RowGradients(rowCount: $0.shape[0], width: $0.shape[1]) }
    }

    /// The next backward passes collect their gradients in `buffer`, those of sparse tables in
    /// lists of their own, starting afresh.
    /// - Precondition: `buffer` has at least `gradientCount` elements; its gaps are zero.
    public func bindGradients(to buffer: Tensor) {
        bindGradients(to: buffer, rows: makeRowGradients())
    }

    /// The same with the lists for the sparse tables, one for each.
    package func bindGradients(to buffer: Tensor, rows: [RowGradients]) {
        require(
            buffer.count >= gradientCount, "gradients of \(gradientCount) in \(buffer.count)")
        require(
            rows.count == sparseSlots.count,
            "\(rows.count) lists of rows for \(sparseSlots.count) sparse tables")
        for (parameter, rows) in zip(sparseParameters, rows) {
            rows.removeAll()
            parameter.rowGradients = rows
            parameter.clearGradient()
        }
        for (parameter, slot) in zip(trainedParameters, trainedSlots) {
            parameter.gradient = buffer.slice(from: slot.offset, slot.shape)
            parameter.clearGradient()
        }
        for (statistic, slot) in zip(runningStatistics, statisticSlots) {
            statistic.contribution = buffer.slice(from: trainedCount + slot.offset, slot.shape)
            statistic.contributionIsWritten = false
        }
    }

    /// Zeroes the gradients that no pass since `bindGradients` has written: a replica without
    /// samples, or a parameter that this step did not use, still has to contribute zeros.
    public func finishGradients() {
        for parameter in trainedParameters where !parameter.gradientIsWritten {
            if let gradient = parameter.gradient {
                gradient.pointer.update(repeating: 0, count: gradient.count)
            }
            parameter.gradientIsWritten = true
        }
    }

    /// The same for the contributions of the statistics, which are complete after the last forward
    /// pass.
    public func finishStatistics() {
        for statistic in runningStatistics where !statistic.contributionIsWritten {
            if let contribution = statistic.contribution {
                contribution.pointer.update(repeating: 0, count: contribution.count)
            }
            statistic.contributionIsWritten = true
        }
    }

    /// running = (1 - momentum) * running + momentum * (sum / sampleCount), where `sums` is the
    /// reduced buffer of contributions, laid out as `statistics`.
    public func updateStatistics(sums: UnsafePointer<Float>, sampleCount: Float) {
        guard sampleCount > 0 else { return }
        for (statistic, slot) in zip(runningStatistics, statisticSlots) {
            rondo_running_average(
                statistic.value.pointer, sums + slot.offset, 1 / sampleCount, statistic.momentum,
                slot.shape.count)
        }
    }

    /// The parameter of `parameterSlots[index]`.
    public func parameter(at index: Int) -> Parameter { parameters[index] }
}
