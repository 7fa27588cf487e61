import CKernels
import Kernels
import Tensors

/// One attention with its sizes checked.
struct AttentionPlan {
    /// P is kept for backward up to this many floats (4 MB). Keeping saves a quarter of the time of
    /// both passes at 64 and at 256 time steps, a tenth at 1024; beyond the limit memory counts
    /// more.
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
        require(
            keys.samples == samples && values.samples == samples && keys.length == values.length,
            "attention: queries \(queries.variable.shape), keys \(keys.variable.shape), "
                + "values \(values.variable.shape)")
        for (operand, width) in [(queries, headWidth), (keys, headWidth), (values, valueWidth)] {
            require(
                operand.firstColumn + heads * width <= operand.variable.shape[2],
                "attention: \(heads) heads of \(width) from column \(operand.firstColumn) of "
                    + "\(operand.variable.shape)")
        }
        require(
            mask.keyLengths.map { lengths in
                lengths.count == samples && lengths.allSatisfy { 0...keys.length ~= Int($0) }
            } ?? true,
            "attention: key lengths \(mask.keyLengths ?? []) for \(samples) samples of "
                + "\(keys.length) keys"
        )
        if let shape = mask.bias?.shape {
            require(
                shape.rank == 4 && [1, samples].contains(shape[0])
                    && [1, heads].contains(shape[1]) && shape[2] == queries.length
                    && shape[3] == keys.length,
                "attention: bias \(shape) for \(samples) samples, \(heads) heads, "
                    + "\(queries.length) queries and \(keys.length) keys")
        }
        require(dropout >= 0 && dropout < 1, "attention: dropout \(dropout)")
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
    /// FLOPs of the forward products, counting every key that a causal mask does not hide.
    var flops: Int {
        let all = 2 * samples * heads * queries.length * keys.length * (headWidth + valueWidth)
        return mask.isCausal ? all / 2 : all
    }
    var hasDropout: Bool { random != nil }
    /// Distance between the rows of a tile, in floats.
    var stride: Int { (keys.length + 15) / 16 * 16 }

    /// The keys that the first `count` queries can see at most.
    func visibleKeys(sample: Int, queryCount count: Int) -> Int {
        let valid = mask.keyLengths.map { Int($0[sample]) } ?? keys.length
        guard mask.isCausal else { return valid }
        return max(0, min(valid, firstVisible(count - 1)))
    }

    /// The keys that query `row` sees under a causal mask.
    func firstVisible(_ row: Int) -> Int { keys.length - queries.length + row + 1 }

    /// Calls `body` with the tile of `rows` queries from `firstRow` on; its pointers are valid
    /// until it returns.
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
