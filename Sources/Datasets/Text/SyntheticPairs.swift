// Pairs of texts that are made, not read: small tasks that show what a sequence to sequence model
// has learned, with as much data as one likes. All is a pure function of the seed. Test samples are
// drawn first, so they stay the same however many training samples are asked for, and none of
// them is in the training part.

/// A task.
public enum SyntheticPairs: Equatable, Sendable {
    /// Strings of `lengths` symbols out of the first `symbols` of a-z, A-Z, 0-9, and the same
    /// backwards: "kotlin" gives "niltok".
    case reversal(symbols: Int, lengths: ClosedRange<Int>)
    /// Days from 1900 to 2099 in one of 16 formats (see DateFormats), and in ISO 8601's:
    /// "March 9th, 2011" gives "2011-03-09". No day of the test part is in the training part, in
    /// whatever format; training samples may repeat.
    case dates

    /// The symbols that strings are made of.
    public static let alphabet = Array(
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789")

    /// Makes both parts.
    /// - Throws: `tooFewStrings` if there are not so many different ones.
    public func parts(
        seed: UInt64, trainingCount: Int, testCount: Int
    ) throws(DataError) -> (training: [TextPair], test: [TextPair]) {
        switch self {
        case .reversal(let symbols, let lengths):
            precondition(
                (1...Self.alphabet.count).contains(symbols) && lengths.lowerBound > 0,
                "\(symbols) symbols, lengths \(lengths)")
            return try Self.reversals(
                symbols: symbols, lengths: lengths, seed: seed, trainingCount: trainingCount,
                testCount: testCount)
        case .dates:
            return try Self.dates(
                seed: seed, trainingCount: trainingCount, testCount: testCount)
        }
    }

    /// Lines "source, tab, target" for a file.
    public static func tabSeparated(_ pairs: [TextPair]) -> [UInt8] {
        pairs.reduce(into: []) { bytes, pair in
            bytes += pair.source.utf8
            bytes.append(0x09)
            bytes += pair.target.utf8
            bytes.append(0x0a)
        }
    }

    /// All strings differ. Short strings are as frequent as long ones, as far as there are enough.
    private static func reversals(
        symbols: Int, lengths: ClosedRange<Int>, seed: UInt64, trainingCount: Int, testCount: Int
    ) throws(DataError) -> (training: [TextPair], test: [TextPair]) {
        let needed = trainingCount + testCount
        // How many strings of each length are left to draw; at least so many, where it is enough.
        var left = lengths.map { length in
            var count = 1
            for _ in 0..<length where count < needed { count *= symbols }
            return count
        }
        let available = left.reduce(0, +)
        guard available >= needed else {
            throw DataError(
                file: "reversal",
                problem: .text(.tooFewStrings(available: available, needed: needed)))
        }
        var draws = RandomDraws(seed: seed, purpose: .reversal)
        var seen: Set<String> = []
        var pairs: [TextPair] = []
        pairs.reserveCapacity(needed)
        while pairs.count < needed {
            let position = draws.next(below: lengths.count)
            guard left[position] > 0 else { continue }
            let characters = (0..<(lengths.lowerBound + position)).map { _ in
                alphabet[draws.next(below: symbols)]
            }
            let source = String(characters)
            guard seen.insert(source).inserted else { continue }
            left[position] -= 1
            pairs.append(TextPair(source: source, target: String(characters.reversed())))
        }
        return (Array(pairs[testCount...]), Array(pairs[..<testCount]))
    }

    private static func dates(
        seed: UInt64, trainingCount: Int, testCount: Int
    ) throws(DataError) -> (training: [TextPair], test: [TextPair]) {
        let dayCount = CalendarDay.dayCount
        guard testCount < dayCount else {
            throw DataError(
                file: "dates",
                problem: .text(.tooFewStrings(available: dayCount - 1, needed: testCount)))
        }
        // A shuffle of the days: the first are the test's.
        let days = SampleOrder(
            seed: TextRandomPurpose.dates.key(seed: seed), epoch: 0, sampleCount: dayCount
        ).samples
        var draws = RandomDraws(seed: seed, purpose: .dates, stream: 1)
        func pair(_ day: UInt32) -> TextPair {
            let format = draws.next(below: DateFormats.all.count)
            let day = CalendarDay(number: Int(day))
            return TextPair(source: DateFormats.all[format](day), target: day.iso)
        }
        let test = days[..<testCount].map { pair($0) }
        let training = (0..<trainingCount).map { _ in
            pair(days[testCount + draws.next(below: dayCount - testCount)])
        }
        return (training, test)
    }
}
