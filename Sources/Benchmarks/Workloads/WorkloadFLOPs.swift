// What a step of each workload has to multiply and add: the nominal operations of its matrix
// products and convolutions, whatever algorithm computes them. Forward counts once, backward twice,
// and once for what reads the data, whose gradient is not computed.

extension WorkloadName {
    /// Floating-point operations of one replica's step, forward and backward.
    package var flopsPerReplica: Int {
        switch self {
        case .mlp:
            Self.first(rows: 64, 784 * 512) + Self.inner(rows: 64, 512 * 512 + 512 * 10)
        case .cnn:
            Self.first(rows: 64 * 28 * 28, 9 * 32)
                + Self.inner(rows: 64 * 14 * 14, 9 * 32 * 64)
                + Self.inner(rows: 64, 64 * 49 * 128 + 128 * 10)
        case .resnet20:
            Self.first(rows: 32 * 32 * 32, 9 * 3 * 16)
                + Self.inner(rows: 32 * 32 * 32, 6 * 9 * 16 * 16)
                + Self.inner(rows: 32 * 16 * 16, 9 * 16 * 32 + 5 * 9 * 32 * 32 + 16 * 32)
                + Self.inner(rows: 32 * 8 * 8, 9 * 32 * 64 + 5 * 9 * 64 * 64 + 32 * 64)
                + Self.inner(rows: 32, 64 * 10)
        case .lstm:
            Self.inner(rows: 32 * 64, 4 * 256 * (64 + 256) + 4 * 256 * (256 + 256) + 256 * 96)
        case .gpt:
            // Scores and weighted values of 4 heads of 32, half of them hidden by the causal mask.
            Self.inner(
                rows: 12 * 64, 4 * (128 * 384 + 128 * 128 + 2 * 128 * 512) + 128 * 96)
                + Self.inner(rows: 12 * 64, 4 * 2 * 64 * 128 / 2)
        case .seq2seq:
            // Encoder, decoder, scores and weighted values, and what follows them.
            Self.inner(
                rows: 32 * 24,
                2 * 4 * 128 * (128 + 128) + 2 * 24 * 128 + 256 * 128 + 128 * 64)
        }
    }

    private static func inner(rows: Int, _ weights: Int) -> Int { 6 * rows * weights }

    private static func first(rows: Int, _ weights: Int) -> Int { 4 * rows * weights }
}
