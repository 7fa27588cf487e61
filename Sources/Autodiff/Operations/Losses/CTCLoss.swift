import CKernels
import Kernels
import Tensors

/// Connectionist temporal classification (Graves et al. 2006): -log of the probability of all
/// alignments of the labels with the time steps.
///
/// - Parameters:
///   - logits: [N, T, classes] or [T, N, classes], before softmax.
///   - labels: the labels of each sample, without `blank`.
///   - lengths: time steps of each sample, all where nil.
///   - zeroInfinity: labels that do not fit into the time steps cost nothing; otherwise infinity.
/// - Returns: the sum over samples; divisor: the samples' weights.
/// Cost: T (2 L + 1) states per sample, forward and backward, computed in the forward pass.
public func ctcLoss(
    _ logits: Variable, labels: [[Int32]], lengths: [Int32]? = nil, blank: Int32 = 0,
    layout: SequenceLayout = .batchFirst, zeroInfinity: Bool = false, weights: [Float]? = nil
) -> WeightedLoss {
    require(logits.shape.rank == 3, "ctcLoss: logits \(logits.shape)")
    let isBatchFirst = layout == .batchFirst
    let samples = logits.shape[isBatchFirst ? 0 : 1]
    let steps = logits.shape[isBatchFirst ? 1 : 0]
    let classes = logits.shape[2]
    require(
        labels.count == samples && (lengths.map { $0.count == samples } ?? true),
        "ctcLoss: \(labels.count) lists of labels, \(lengths?.count ?? samples) lengths, "
            + "\(samples) samples"
    )
    require(
        labels.allSatisfy { $0.allSatisfy { $0 != blank && 0..<classes ~= Int($0) } }
            && 0..<classes ~= Int(blank),
        "ctcLoss: labels \(labels), of which one is the blank \(blank) or outside 0..<\(classes)")
    checkRowWeights(weights, rows: samples)
    let rowStride = isBatchFirst ? classes : samples * classes
    let losses = Tensor(uninitialized: [samples])
    // Time steps beyond a sample's length have no derivative.
    let derivatives = logits.needsDerivative ? Tensor(zeros: logits.shape) : nil
    for (sample, sampleLabels) in labels.enumerated() {
        let length = lengths.map { Int($0[sample]) } ?? steps
        require(0...steps ~= length, "ctcLoss: length \(length) of \(steps)")
        let offset = sample * (isBatchFirst ? steps * classes : classes)
        sampleLabels.withUnsafeBufferPointer { sampleLabels in
            var alignment = rondo_alignment(
                labels: sampleLabels.baseAddress, labelCount: Int64(sampleLabels.count),
                steps: Int64(length), classes: Int64(classes), rowStride: Int64(rowStride),
                blank: blank, weight: weights?[sample] ?? 1, zeroInfinity: zeroInfinity)
            let workspace = Tensor(uninitialized: [rondo_ctc_workspace(&alignment)])
            losses.pointer[sample] = rondo_ctc(
                derivatives.map { $0.pointer + offset }, logits.value.pointer + offset,
                workspace.pointer, &alignment)
        }
    }
    return weightedLoss(
        losses, inputs: [(logits, derivatives)], weight: rowWeight(weights, rows: samples),
        rowCount: samples)
}
