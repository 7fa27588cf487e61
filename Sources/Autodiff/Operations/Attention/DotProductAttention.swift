import CKernels
import Kernels
import Tensors

// Scaled dot-product attention (Vaswani et al. 2017, section 3.2.1), softmax(Q K^T * scale + mask) V.
//
// The scores of the whole batch are never in memory at once. Work goes by tiles: up to `tileRows`
// queries of one head of one sample against the keys that they can see.
//
//   forward    S = Q K^T            product      backward   dP = dO V^T              product
//              P = softmax(S)       in place                dV += dropout(P)^T dO    product
//              O = dropout(P) V     product                 dS = P (dP - sum(P dP))  in place
//                                                           dQ = dS K, dK += dS^T Q  products
//
// Heads are columns of the projected queries, keys and values and are read and written where they lie, with
// strides; nothing is transposed or copied. A small P is kept for backward; of a large one only two numbers
// per row are, largest score and inverse sum, and P is computed again, to the same bits
// (Dao et al. 2022, section 3.1).

/// How a batch of sequences lies in memory.
public enum SequenceLayout: Sendable {
    /// [N, T, width]
    case batchFirst
    /// [T, N, width]
    case timeFirst
}

/// Queries, keys or values: columns of a variable, head after head.
public struct AttentionOperand {
    /// [N, T, W] or [T, N, W].
    public let variable: Variable
    /// The column where head 0 begins.
    public let firstColumn: Int
    /// How the variable lies.
    public let layout: SequenceLayout
    /// The number of time steps used; the others, of a cache that is not full, do not exist.
    public let length: Int

    /// The columns from `firstColumn` on; the first `length` steps, or all.
    public init(
        _ variable: Variable, firstColumn: Int = 0, layout: SequenceLayout = .batchFirst,
        length: Int? = nil
    ) {
        precondition(variable.shape.rank == 3, "attention over \(variable.shape), not N x T x W")
        self.variable = variable
        self.firstColumn = firstColumn
        self.layout = layout
        let steps = variable.shape[layout == .batchFirst ? 1 : 0]
        self.length = length ?? steps
        precondition(self.length <= steps, "\(self.length) of \(steps) time steps")
    }

    var samples: Int { variable.shape[layout == .batchFirst ? 0 : 1] }
    var rowStride: Int {
        layout == .batchFirst ? variable.shape[2] : variable.shape[1] * variable.shape[2]
    }
    var sampleStride: Int {
        layout == .batchFirst ? variable.shape[1] * variable.shape[2] : variable.shape[2]
    }
    func offset(sample: Int, row: Int, column: Int) -> Int {
        sample * sampleStride + row * rowStride + firstColumn + column
    }
}

/// Which keys a query does not see.
public struct AttentionMask: Sendable {
    /// Query i of Tq sees keys up to i + Tk - Tq: the last query sees all of them.
    public var isCausal: Bool
    /// Keys of each sample; the rest is padding. nil: all.
    public var keyLengths: [Int32]?
    /// Added to the scaled scores, [1 or N, 1 or heads, Tq, Tk]; -infinity hides a key. Not differentiated.
    public var bias: Tensor?

    /// By default everything is seen.
    public init(isCausal: Bool = false, keyLengths: [Int32]? = nil, bias: Tensor? = nil) {
        self.isCausal = isCausal
        self.keyLengths = keyLengths
        self.bias = bias
    }

    /// Every key is seen.
    public static let none = AttentionMask()
    /// No key after the query.
    public static let causal = AttentionMask(isCausal: true)
}

/// The probabilities of an attention, for those who want to look at them.
public final class AttentionMap {
    /// [N, heads, Tq, Tk], before dropout; nil until an attention has filled it.
    public internal(set) var probabilities: Tensor?
    /// An empty map.
    public init() {}
}

/// softmax(queries keys^T * scale + mask) values, head by head.
///
/// - Parameters:
///   - queries, keys: `heads` times `headWidth` columns; values: `heads` times `valueWidth` columns. They may
///     be columns of one variable.
///   - scale: 1 / sqrt(headWidth) where nil.
///   - dropout: probability that a weight is dropped in training.
///   - map: filled with the probabilities if given.
/// - Returns: [N, Tq, heads * valueWidth] in the layout of the queries; rows that see no key are zero.
/// Cost: 4 N heads Tq Tk headWidth FLOPs forward, half of it if causal; 2 to 2.5 times that backward.
public func scaledDotProductAttention(
    queries: AttentionOperand, keys: AttentionOperand, values: AttentionOperand, heads: Int,
    headWidth: Int, valueWidth: Int? = nil, mask: AttentionMask = .none, scale: Float? = nil,
    dropout: Float = 0, map: AttentionMap? = nil
) -> Variable {
    let tape = queries.variable.tape
    let plan = AttentionPlan(
        queries: queries, keys: keys, values: values, heads: heads, headWidth: headWidth,
        valueWidth: valueWidth ?? headWidth, mask: mask,
        scale: scale ?? 1 / Float(headWidth).squareRoot(), dropout: dropout)
    let isRecorded =
        tape.settings.isTraining
        && [queries, keys, values].contains { $0.variable.isDifferentiated }
    let (y, kept) = plan.forward(keeping: isRecorded, map: map)
    return tape.record(
        y, from: [queries.variable, keys.variable, values.variable], flops: plan.flops
    ) { upstream in
        plan.backward(upstream, kept)
    }
}

/// One attention with its sizes checked.
struct AttentionPlan {
    /// The floats of P (4 MB) up to which it is kept for backward. Keeping saves a quarter of the time of both
    /// passes at 64 and at 256 time steps, a tenth at 1024; beyond the limit memory counts more.
    static let keptCount = 1 << 20
    /// Queries per tile.
    static let tileRows = 64

    let queries: AttentionOperand, keys: AttentionOperand, values: AttentionOperand
    let heads: Int, headWidth: Int, valueWidth: Int
    let mask: AttentionMask
    let scale: Float
    private let random: (key: UInt64, counter: (UInt32, UInt32, UInt32), threshold: UInt32)?
    private let keepScale: Float

    init(
        queries: AttentionOperand, keys: AttentionOperand, values: AttentionOperand, heads: Int,
        headWidth: Int, valueWidth: Int, mask: AttentionMask, scale: Float, dropout: Float
    ) {
        let samples = queries.samples
        precondition(
            keys.samples == samples && values.samples == samples && keys.length == values.length,
            "attention: queries \(queries.variable.shape), keys \(keys.variable.shape), "
                + "values \(values.variable.shape)")
        for (operand, width) in [(queries, headWidth), (keys, headWidth), (values, valueWidth)] {
            precondition(
                operand.firstColumn + heads * width <= operand.variable.shape[2],
                "attention: \(heads) heads of \(width) from column \(operand.firstColumn) of "
                    + "\(operand.variable.shape)")
        }
        precondition(
            mask.keyLengths.map { lengths in
                lengths.count == samples && lengths.allSatisfy { 0...keys.length ~= Int($0) }
            } ?? true, "attention: key lengths outside 0...\(keys.length) or not \(samples) of them"
        )
        if let shape = mask.bias?.shape {
            precondition(
                shape.rank == 4 && [1, samples].contains(shape[0])
                    && [1, heads].contains(shape[1]) && shape[2] == queries.length
                    && shape[3] == keys.length, "attention: bias \(shape)")
        }
        precondition(dropout >= 0 && dropout < 1, "attention: dropout \(dropout)")
        self.queries = queries
        self.keys = keys
        self.values = values
        self.heads = heads
        self.headWidth = headWidth
        self.valueWidth = valueWidth
        self.mask = mask
        self.scale = scale
        let tape = queries.variable.tape
        keepScale = 1 / (1 - dropout)
        random =
            tape.settings.isTraining && dropout > 0
            ? (
                tape.settings.randomKey, tape.nextRandomCounter(),
                UInt32(Double(dropout) * 4_294_967_296)
            ) : nil
    }

    var samples: Int { queries.samples }
    /// Of forward, as if every key were seen but those that a causal mask hides.
    var flops: Int {
        let all = 2 * samples * heads * queries.length * keys.length * (headWidth + valueWidth)
        return mask.isCausal ? all / 2 : all
    }
    var hasDropout: Bool { random != nil }
    /// Floats from row to row of a tile.
    var stride: Int { (keys.length + 15) / 16 * 16 }

    /// The keys that the first `count` queries can see at most.
    func visibleKeys(sample: Int, queryCount count: Int) -> Int {
        let valid = mask.keyLengths.map { Int($0[sample]) } ?? keys.length
        guard mask.isCausal else { return valid }
        return max(0, min(valid, firstVisible(count - 1)))
    }

    /// The keys that query `row` sees under a causal mask.
    func firstVisible(_ row: Int) -> Int { keys.length - queries.length + row + 1 }

    /// The tile of `rows` queries from `firstRow` on; calls `body` with it while its pointers are valid.
    func withTile(
        sample: Int, head: Int, firstRow: Int, rows: Int,
        _ body: (inout rondo_attention_tile) -> Void
    ) {
        let blocksPerRow = (keys.length + 63) / 64
        let row = (sample * heads + head) * queries.length + firstRow
        var biasRow: UnsafePointer<Float>?
        if let bias = mask.bias {
            let shape = bias.shape
            let plane =
                (shape[0] == 1 ? 0 : sample) * shape[1] + (shape[1] == 1 ? 0 : head)
            biasRow = UnsafePointer(bias.pointer) + (plane * shape[2] + firstRow) * shape[3]
        }
        var tile = rondo_attention_tile(
            rows: Int64(rows), columns: Int64(keys.length), stride: Int64(stride),
            validKeys: Int64(mask.keyLengths.map { Int($0[sample]) } ?? keys.length),
            firstVisible: Int64(firstVisible(firstRow)),
            causal: mask.isCausal, scale: scale, bias: biasRow, biasStride: Int64(keys.length),
            key: random?.key ?? 0, counter: random?.counter ?? (0, 0, 0),
            threshold: random?.threshold ?? 0,
            firstBlock: UInt32(truncatingIfNeeded: row * blocksPerRow),
            blocksPerRow: UInt32(blocksPerRow), keepScale: keepScale)
        body(&tile)
    }
}
