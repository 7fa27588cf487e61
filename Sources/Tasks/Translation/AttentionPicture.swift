import Pictures

// An attention map to look at: a column per symbol of the source, a row per symbol of the target,
// the darker the larger the weight. The symbols stand along the edges, those above from top to
// bottom.

enum AttentionPicture {
    private static let cell = 20
    private static let scale = 2
    private static let labelLimit = 12
    private static let margin = 6
    /// Between the cells.
    private static let lineGray: UInt8 = 216
    private static let characterWidth = (GlyphTable.width + 1) * scale
    private static let characterHeight = (GlyphTable.height + 2) * scale

    static func draw(_ matrix: AttentionMatrix) -> GrayPicture {
        let above = matrix.sources.map { Array($0.prefix(labelLimit)) }
        let beside = matrix.targets.map { Array($0.prefix(labelLimit)) }
        let left = margin * 2 + (beside.map(\.count).max() ?? 0) * characterWidth
        let top = margin * 2 + (above.map(\.count).max() ?? 0) * characterHeight
        let width = matrix.sources.count * cell + 1
        let height = matrix.targets.count * cell + 1
        var picture = GrayPicture(width: left + width + margin, height: top + height + margin)
        picture.fill(x: left, y: top, width: width, height: height, gray: lineGray)
        for (row, weights) in matrix.weights.enumerated() {
            for (column, weight) in weights.enumerated() {
                picture.fill(
                    x: left + column * cell + 1, y: top + row * cell + 1, width: cell - 1,
                    height: cell - 1, gray: UInt8(255 * (1 - min(1, max(0, weight)))))
            }
        }
        let inset = (cell - characterWidth) / 2 + 1
        for (column, label) in above.enumerated() {
            let start = top - margin - label.count * characterHeight
            for (position, character) in label.enumerated() {
                picture.draw(
                    character, x: left + column * cell + inset,
                    y: start + position * characterHeight, scale: scale)
            }
        }
        for (row, label) in beside.enumerated() {
            let start = left - margin - label.count * characterWidth
            let y = top + row * cell + (cell - GlyphTable.height * scale) / 2 + 1
            for (position, character) in label.enumerated() {
                picture.draw(character, x: start + position * characterWidth, y: y, scale: scale)
            }
        }
        return picture
    }
}
