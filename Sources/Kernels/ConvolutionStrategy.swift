import CKernels

// The algorithms of a convolution, and the calls of Rondo's own kernels.
//
// The reference is im2col with OpenBLAS: it serves every shape on every processor, and the tests
// hold the others against it. The own kernels need fused multiply-adds. They are not used if
// OpenBLAS is held to kernels for processors without them (core type Nehalem, or an unknown one): a
// run takes that level when one of its machines has nothing better, and all machines have to get
// the same bits. AVX2 and AVX-512 kernels have the same bits, so they can be mixed.

/// How many outputs one tile of Winograd's convolution gives, height by width. Larger tiles take
/// fewer products and round worse; the tile matters only for 3x3 kernels with stride 1.
public enum WinogradTile: CaseIterable, Sendable {
    /// 4 products per output; more accurate than the direct sum.
    case twoByTwo
    /// 3 products per output; errors up to twice those of the direct sum.
    case twoByFour
    /// 2.25 products per output; errors two to four times those of the direct sum.
    case fourByFour

    /// The default tile.
    public static let standard = WinogradTile.twoByTwo

    fileprivate var native: rondo_tile {
        rondo_tile(
            down: self == .fourByFour ? 4 : 2, across: self == .twoByTwo ? 2 : 4)
    }
}

/// An algorithm of a convolution.
package enum ConvolutionStrategy: Hashable, Sendable {
    /// Columns and OpenBLAS products.
    case reference
    /// Columns and own products, on vectors of `width` floats.
    case columns(width: Int)
    /// F(tile, 3x3) of Winograd for 3x3 kernels with stride 1.
    case winograd(tile: WinogradTile, width: Int)

    /// The fastest algorithm for a shape, with tiles of that size.
    package static func best(
        window: ImageWindow, outputChannels: Int, groups: Int, tile: WinogradTile
    ) -> ConvolutionStrategy {
        let width = Arithmetic.fusedWidth
        guard width > 0, groups == 1 else { return .reference }
        let winograd = ConvolutionStrategy.winograd(tile: tile, width: width)
        if winograd.serves(window: window, groups: groups), window.channels >= 16,
            outputChannels >= 16
        {
            return winograd
        }
        // Most of a tile of 16 outputs would be empty.
        return outputChannels >= 8 ? .columns(width: width) : .reference
    }

    /// Whether the algorithm serves this shape and this processor.
    package func serves(window: ImageWindow, groups: Int) -> Bool {
        switch self {
        case .reference: true
        case .columns(let width): width <= Arithmetic.widestFused && groups == 1
        case .winograd(_, let width):
            width <= Arithmetic.widestFused && groups == 1 && window.kernel == .init(3)
                && window.stride == .init(1)
        }
    }
}

extension Arithmetic {
    /// Floats of the widest vectors that the processor could run those kernels with.
    package static var widestFused: Int { Int(rondo_fused_width()) }

    /// Floats of the vectors that own kernels with fused multiply-adds use in this process: 16, 8,
    /// or 0 if they are not used.
    package static let fusedWidth: Int =
        ["Haswell", "Zen", "SkylakeX", "Cooperlake", "Sapphirerapids"]
            .contains { $0.lowercased() == loadedCoreType.lowercased() }
        ? widestFused : 0
}

extension Convolution {
    private func native(images: Int) -> rondo_convolution {
        rondo_convolution(
            window: window.native(), images: Int64(images), outputs: Int64(outputChannels))
    }

    /// nil if the reference has to compute.
    func fusedScratchCount(images: Int) -> Int? {
        var shape = native(images: images)
        switch strategy {
        case .reference: return nil
        case .columns: return Int(rondo_columns_scratch(&shape))
        case .winograd(let tile, _): return Int(rondo_winograd_scratch(&shape, tile.native))
        }
    }

    /// For strides other than 1; nil where the reference computes.
    func fusedInputGradientScratchCount(images: Int) -> Int? {
        guard case .columns = strategy else { return nil }
        var shape = native(images: images)
        return Int(rondo_columns_input_gradient_scratch(&shape))
    }

    /// Returns false where the reference has to compute.
    func fusedForward(
        _ x: UnsafePointer<Float>, weight: UnsafePointer<Float>, reversed: Bool,
        bias: UnsafePointer<Float>?, y: UnsafeMutablePointer<Float>, images: Int,
        scratch: UnsafeMutablePointer<Float>
    ) -> Bool {
        var shape = native(images: images)
        switch strategy {
        case .reference: return false
        case .columns(let width):
            rondo_columns_forward(Int64(width), y, x, weight, reversed, bias, &shape, scratch)
        case .winograd(let tile, let width):
            rondo_winograd_forward(
                Int64(width), y, x, weight, reversed, bias, &shape, tile.native, scratch)
        }
        return true
    }

    func fusedWeightGradient(
        _ x: UnsafePointer<Float>, dy: UnsafePointer<Float>,
        into weightGradient: UnsafeMutablePointer<Float>, beta: Float, images: Int,
        scratch: UnsafeMutablePointer<Float>
    ) -> Bool {
        var shape = native(images: images)
        switch strategy {
        case .reference: return false
        case .columns(let width):
            rondo_columns_weight_gradient(
                Int64(width), weightGradient, beta != 0, x, dy, &shape, scratch)
        case .winograd(let tile, let width):
            rondo_winograd_weight_gradient(
                Int64(width), weightGradient, beta != 0, x, dy, &shape, tile.native, scratch)
        }
        return true
    }

    /// For strides other than 1 and for padding beyond the kernel.
    func fusedInputGradient(
        _ dy: UnsafePointer<Float>, weight: UnsafePointer<Float>,
        dx: UnsafeMutablePointer<Float>, images: Int, scratch: UnsafeMutablePointer<Float>
    ) -> Bool {
        guard case .columns(let width) = strategy else { return false }
        var shape = native(images: images)
        rondo_columns_input_gradient(Int64(width), dx, dy, weight, &shape, scratch)
        return true
    }
}
