import CKernels
import Kernels
import Tensors

/// Computes the input's products of a recurrent layer whose input rows are those of a table.
///
///   forward   x Wih^T = rows of E Wih^T                         one product of the table's V rows
///   backward  S[V, K H] = sums of dP by token, in the order of the steps
///             dWih += S^T E, dE += S Wih
final class RecurrentTokens {
    private let lookup: TokenLookup
    private let weight: Parameter
    /// Tokens per step.
    private let rows: Int
    /// [V, K H]: E Wih^T in forward, S in backward.
    private var table: Tensor

    /// Whether that is less work than the products of `rowCount` rows: it is from two rows per row
    /// of the table on, because looking up costs time too. Only shapes decide, so that all replicas
    /// do the same.
    static func pay(_ lookup: TokenLookup, rowCount: Int) -> Bool {
        2 * lookup.weight.shape[0] <= rowCount
    }

    /// - Parameter weight: Wih, [K H, D].
    init(_ lookup: TokenLookup, weight: Parameter, rows: Int) {
        self.lookup = lookup
        self.weight = weight
        self.rows = rows
        table = Tensor(uninitialized: [0])
    }

    private var collectsGradients: Bool {
        weight.collectsGradient || lookup.weight.collectsGradient
    }
    private var symbols: Int { lookup.weight.shape[0] }
    private var columns: Int { weight.shape[0] }
    private var features: Int { weight.shape[1] }

    func beginForward() {
        table = Tensor(uninitialized: [symbols, columns])
        matrixProduct(
            lookup.weight.value.pointer, weight.value.pointer, transposeB: true,
            into: table.pointer, m: symbols, n: columns, k: features)
    }

    func forward(step: Int, into products: UnsafeMutablePointer<Float>, stride: Int) {
        withTokens(of: step) {
            rondo_gather_rows(products, stride, table.pointer, $0, rows, columns)
        }
    }

    func beginBackward() {
        guard collectsGradients else { return }
        table = Tensor(zeros: [symbols, columns])
    }

    func collect(step: Int, gradients: UnsafePointer<Float>, stride: Int) {
        guard collectsGradients else { return }
        withTokens(of: step) {
            rondo_scatter_add_rows(table.pointer, gradients, stride, $0, rows, columns, -1)
        }
    }

    func addGradients(on tape: Tape) {
        tape.addGradient(to: weight) { gradient, beta in
            matrixProduct(
                table.pointer, transposeA: true, lookup.weight.value.pointer, into: gradient,
                m: columns, n: features, k: symbols, beta: beta)
        }
        if let padding = lookup.paddingIndex, collectsGradients {
            (table.pointer + padding * columns).update(repeating: 0, count: columns)
        }
        tape.addGradient(to: lookup.weight) { gradient, beta in
            matrixProduct(
                table.pointer, weight.value.pointer, into: gradient, m: symbols, n: features,
                k: columns, beta: beta)
        }
        tape.addGradient(Tensor(zeros: []), to: lookup.node)
    }

    private func withTokens(of step: Int, _ body: (UnsafePointer<Int32>) -> Void) {
        lookup.tokens.withUnsafeBufferPointer { tokens in
            if let base = tokens.baseAddress { body(base + step * rows) }
        }
    }
}
