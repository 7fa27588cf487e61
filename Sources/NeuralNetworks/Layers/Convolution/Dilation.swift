import Autodiff
import Kernels
import Tensors

// A convolution whose taps lie d apart never mixes positions that differ modulo d. So every d-th
// row and column is taken for an image of its own, an ordinary convolution runs over these d x d
// images, and the outputs are put back in their places (d = 2, one row):
//
//     a b c d e f   ->   a c e | b d f   ->   A C | B D   ->   A B C D
//
// The sums are those of a direct dilated convolution. With a stride above 1 the outputs between are
// computed and left out.

/// - Parameters:
///   - x: [N, H, W, C].
///   - convolve: the same convolution with stride 1, without padding and dilation.
func dilated(
    _ x: Variable, kernel: ImageWindow.Pair, stride: ImageWindow.Pair, padding: ImageWindow.Pair,
    dilation: ImageWindow.Pair, _ convolve: (Variable) -> Variable
) -> Variable {
    let (images, channels) = (x.shape[0], x.shape[3])
    let rows = DilatedAxis(
        x.shape[1], kernel.height, stride.height, padding.height, dilation.height)
    let columns = DilatedAxis(
        x.shape[2], kernel.width, stride.width, padding.width, dilation.width)
    let padded = pad(x, [(0, 0), rows.padding, columns.padding, (0, 0)])
    let phases = permute(
        reshape(
            padded,
            [
                images, rows.phaseLength, rows.dilation, columns.phaseLength, columns.dilation,
                channels,
            ]),
        [0, 2, 4, 1, 3, 5])
    let y = convolve(
        reshape(
            phases,
            [
                images * rows.dilation * columns.dilation, rows.phaseLength, columns.phaseLength,
                channels,
            ]))
    let (height, width, outputs) = (y.shape[1], y.shape[2], y.shape[3])
    let whole = reshape(
        permute(
            reshape(y, [images, rows.dilation, columns.dilation, height, width, outputs]),
            [0, 3, 1, 4, 2, 5]),
        [images, height * rows.dilation, width * columns.dilation, outputs])
    return rows.outputs(of: columns.outputs(of: whole, axis: 2), axis: 1)
}

/// One direction of a dilated convolution.
private struct DilatedAxis {
    let dilation: Int
    /// Zeros before and after, so that the length is a multiple of the dilation.
    let padding: (before: Int, after: Int)
    let phaseLength: Int
    private let stride: Int
    private let outputCount: Int

    init(_ length: Int, _ kernel: Int, _ stride: Int, _ padding: Int, _ dilation: Int) {
        let padded = length + 2 * padding
        let spread = dilatedExtent(kernel, dilation)
        precondition(padded >= spread, "a kernel of \(spread) on \(padded) positions")
        phaseLength = (padded + dilation - 1) / dilation
        self.padding = (padding, phaseLength * dilation - length - padding)
        self.dilation = dilation
        self.stride = stride
        outputCount = (padded - spread) / stride + 1
    }

    func outputs(of y: Variable, axis: Int) -> Variable {
        slice(y, axis: axis, from: 0, count: outputCount, step: stride)
    }
}

/// The positions from the first to the last tap of a kernel.
package func dilatedExtent(_ kernel: Int, _ dilation: Int) -> Int { (kernel - 1) * dilation + 1 }
