import CKernels
import Tensors

/// The memory layout of the gates of all steps, and of their gradients, which take the gates' place
/// in backward.
///
/// Gates lie row by row. Gradients do too if OpenBLAS multiplies them; otherwise they lie in blocks
/// of 16 columns, segment by segment, because a block belongs to one product.
struct RecurrentGates {
    /// Neighbouring columns that take part in the same products.
    struct Segment {
        let column: Int, count: Int
        /// Its first column when each segment is filled up to whole blocks.
        let place: Int
    }

    /// A segment, and the first row of the weight whose products have their gradients in it.
    struct Part {
        let segment: Segment
        let row: Int
    }

    let rows: Int
    /// Columns of the gates: four per unit for LSTM and GRU, whose fourth is the state's part of n.
    let columns: Int
    let isBlocked: Bool
    /// Parts of the products with the input's weight, and with the hidden one. A GRU's n has one
    /// gradient for the input's product and one for the state's.
    let inputParts: [Part], hiddenParts: [Part]
    /// Columns of the sums over the rows.
    let sumCount: Int
    private let segments: [Segment]

    init(_ unit: RecurrentUnit, units: Int, rows: Int, isBlocked: Bool) {
        self.rows = rows
        self.isBlocked = isBlocked
        let counts = unit == .gru ? [2 * units, units, units] : [unit.productCount * units]
        var segments: [Segment] = []
        var (column, place) = (0, 0)
        for count in counts {
            segments.append(Segment(column: column, count: count, place: place))
            column += count
            place += isBlocked ? Int(rondo_blocked_columns(Int64(count))) : count
        }
        self.segments = segments
        columns = column
        sumCount = place
        let first = Part(segment: segments[0], row: 0)
        guard unit == .gru else {
            inputParts = [first]
            hiddenParts = [first]
            return
        }
        inputParts = [first, Part(segment: segments[1], row: 2 * units)]
        hiddenParts = [first, Part(segment: segments[2], row: 2 * units)]
    }

    /// Floats that a step takes.
    var stepCount: Int { rows * max(columns, sumCount) }

    /// Puts a step's gradients into blocks and adds their sums over the rows to `sums`.
    func block(
        _ gradients: UnsafePointer<Float>, into step: UnsafeMutablePointer<Float>,
        sums: UnsafeMutablePointer<Float>
    ) {
        for segment in segments {
            rondo_block_rows(
                step + segment.place * rows, sums + segment.place, gradients + segment.column,
                Int64(columns), Int64(rows), Int64(segment.count))
        }
    }

    /// A segment of a step's gradients as the left side of a product.
    func operand(_ step: UnsafePointer<Float>, _ segment: Segment) -> RecurrentOperand {
        isBlocked
            ? RecurrentOperand(pointer: step + segment.place * rows, stride: 0)
            : RecurrentOperand(pointer: step + segment.column, stride: columns)
    }
}
