import Autodiff
import CKernels
import Tensors

// All trained state of a model in flat buffers.
//
//   values      | conv1.weight | conv1.bias | ... | fc.bias |
//   statistics  | bn1.running_mean | bn1.running_var | ... |
//   gradients   | conv1.weight | ... | fc.bias | contributions of the statistics | tail |
//
// Gradients, what batch norm saw, and the sums of the loss (tail) lie in one buffer, so that a bucket of
// the all-reduce is a slice of it. A worker has one such buffer per local replica; `bindGradients` points
// the parameters at the buffer of the replica that is computed next. Each parameter starts on a
// multiple of 16 floats (a cache line); the gaps are zero and stay so.

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
    /// Places of the parameters, in the model's order.
    public let parameterSlots: [StateSlot]
    /// Places of the running statistics.
    public let statisticSlots: [StateSlot]
    /// All parameters, gaps included.
    public let values: Tensor
    /// All running statistics.
    public let statistics: Tensor
    /// Numbers of trained scalars, gaps not counted.
    public let scalarCount: Int

    private let parameters: [Parameter]
    private let runningStatistics: [RunningStatistic]

    /// Floats of a gradient buffer before the tail: parameters, then statistics.
    public var gradientCount: Int { values.count + statistics.count }

    /// Moves the model's parameters and statistics into flat buffers.
    public init(adopting model: any Module) {
        var parameterSlots: [StateSlot] = []
        var statisticSlots: [StateSlot] = []
        var parameters: [Parameter] = []
        var runningStatistics: [RunningStatistic] = []
        var valueCount = 0
        var statisticCount = 0
        for state in model.namedStates {
            switch state {
            case .parameter(let name, let parameter):
                // The same parameter under two names (tied weights) is one slot.
                if parameters.contains(where: { $0 === parameter }) { continue }
                parameterSlots.append(
                    StateSlot(name: name, shape: parameter.shape, offset: valueCount))
                parameters.append(parameter)
                valueCount += Self.aligned(parameter.shape.count)
            case .statistic(let name, let statistic):
                statisticSlots.append(
                    StateSlot(name: name, shape: statistic.shape, offset: statisticCount))
                runningStatistics.append(statistic)
                statisticCount += Self.aligned(statistic.shape.count)
            }
        }
        values = Tensor(zeros: [valueCount])
        statistics = Tensor(zeros: [statisticCount])
        scalarCount = parameterSlots.reduce(0) { $0 + $1.shape.count }
        for (index, (parameter, slot)) in zip(parameters, parameterSlots).enumerated() {
            let slice = values.slice(from: slot.offset, slot.shape)
            slice.pointer.update(from: parameter.value.pointer, count: slot.shape.count)
            parameter.value = slice
            parameter.index = index
        }
        for (statistic, slot) in zip(runningStatistics, statisticSlots) {
            let slice = statistics.slice(from: slot.offset, slot.shape)
            slice.pointer.update(from: statistic.value.pointer, count: slot.shape.count)
            statistic.value = slice
        }
        self.parameterSlots = parameterSlots
        self.statisticSlots = statisticSlots
        self.parameters = parameters
        self.runningStatistics = runningStatistics
    }

    private static func aligned(_ count: Int) -> Int { (count + 15) / 16 * 16 }

    /// The next backward passes collect their gradients in `buffer`, starting afresh.
    /// - Precondition: `buffer` has at least `gradientCount` elements; its gaps are zero.
    public func bindGradients(to buffer: Tensor) {
        precondition(
            buffer.count >= gradientCount, "gradients of \(gradientCount) in \(buffer.count)")
        for (parameter, slot) in zip(parameters, parameterSlots) {
            parameter.gradient = buffer.slice(from: slot.offset, slot.shape)
            parameter.clearGradient()
        }
        for (statistic, slot) in zip(runningStatistics, statisticSlots) {
            statistic.contribution = buffer.slice(from: values.count + slot.offset, slot.shape)
            statistic.contributionIsWritten = false
        }
    }

    /// Zeroes the gradients that no pass since `bindGradients` has written: a replica without samples, or
    /// a parameter that this step did not use, still has to contribute zeros.
    public func finishGradients() {
        for parameter in parameters where !parameter.gradientIsWritten {
            parameter.gradient.map { $0.pointer.update(repeating: 0, count: $0.count) }
            parameter.gradientIsWritten = true
        }
    }

    /// The same for the contributions of the statistics, which are complete after the last forward pass.
    public func finishStatistics() {
        for statistic in runningStatistics where !statistic.contributionIsWritten {
            statistic.contribution.map { $0.pointer.update(repeating: 0, count: $0.count) }
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

    /// The parameter in that slot.
    public func parameter(at index: Int) -> Parameter { parameters[index] }
}
