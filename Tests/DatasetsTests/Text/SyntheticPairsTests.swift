// Made pairs: right, seeded, and the test part is unseen.

import Datasets
import Foundation
import Testing

@Test func reversalsAreReversedAndAllDifferent() throws {
    let task = SyntheticPairs.reversal(symbols: 20, lengths: 3...20)
    let parts = try task.parts(seed: 4, trainingCount: 5000, testCount: 500)
    let all = parts.test + parts.training
    #expect(parts.training.count == 5000 && parts.test.count == 500)
    #expect(Set(all.map(\.source)).count == 5500)
    #expect(all.allSatisfy { $0.target == String($0.source.reversed()) })
    #expect(Set(all.map(\.source.count)) == Set(3...20))
    #expect(Set(all.flatMap(\.source)) == Set("abcdefghijklmnopqrst"))
    let again = try task.parts(seed: 4, trainingCount: 10, testCount: 500)
    #expect(again.test == parts.test)
    #expect(again.training == Array(parts.training.prefix(10)))
    #expect(try task.parts(seed: 5, trainingCount: 0, testCount: 500).test != parts.test)
}

@Test func allStringsCanBeAskedForButNotMore() throws {
    let task = SyntheticPairs.reversal(symbols: 3, lengths: 1...3)
    let parts = try task.parts(seed: 1, trainingCount: 30, testCount: 9)
    #expect(Set((parts.test + parts.training).map(\.source)).count == 39)
    #expect(
        message { _ = try task.parts(seed: 1, trainingCount: 31, testCount: 9) }
            == "reversal: there are only 39 different samples of this kind, but 40 are asked for")
}

@Test func reversalsAreThoseOfEveryEarlierVersion() throws {
    let task = SyntheticPairs.reversal(symbols: 26, lengths: 4...6)
    let parts = try task.parts(seed: 1, trainingCount: 2, testCount: 2)
    #expect((parts.test + parts.training).map(\.source) == ["yzxlka", "wyeo", "ryrfd", "wuph"])
}

/// The day a source names, by Foundation's reading of the format that fits.
private func isoReadings(of source: String) -> Set<String> {
    var readings: Set<String> = []
    let text =
        source.hasPrefix("the ") || source.contains("st, ") || source.contains("nd, ")
            || source.contains("rd, ") || source.contains("th, ")
        ? source.replacingOccurrences(
            of: "([0-9])(st|nd|rd|th)\\b", with: "$1", options: .regularExpression)
        : source
    let formats = [
        "d.M.yyyy", "M/d/yyyy", "yyyy/MM/dd", "yyyyMMdd", "d MMMM yyyy", "d MMM yyyy",
        "MMMM d, yyyy",
        "MMM d, yyyy", "'the' d 'of' MMMM yyyy", "dd-MMM-yyyy", "EEEE, d MMMM yyyy",
        "EEE MMM d yyyy",
        "yyyy, MMMM d", "MMMM d yyyy",
    ]
    for format in formats {
        let formatter = DateFormatter()
        formatter.locale = Locale(identifier: "en_US_POSIX")
        formatter.timeZone = TimeZone(identifier: "UTC")
        formatter.calendar = Calendar(identifier: .gregorian)
        formatter.isLenient = false
        formatter.dateFormat = format
        guard let date = formatter.date(from: text) else { continue }
        formatter.dateFormat = "yyyy-MM-dd"
        readings.insert(formatter.string(from: date))
    }
    return readings
}

/// Digits to "0" and letters to "a" or "A", runs to one: what is left is the format.
private func outline(_ source: String) -> String {
    var outline = ""
    for character in source {
        let kind: Character =
            character.isNumber
            ? "0" : character.isUppercase ? "A" : character.isLetter ? "a" : character
        if outline.last != kind { outline.append(kind) }
    }
    return outline
}

@Test func datesAreReadAsFoundationReadsThem() throws {
    let parts = try SyntheticPairs.dates.parts(seed: 9, trainingCount: 300, testCount: 100)
    for pair in parts.test + parts.training {
        #expect(isoReadings(of: pair.source).contains(pair.target), "\(pair)")
    }
    #expect(Set((parts.test + parts.training).map { outline($0.source) }).count >= 10)
}

@Test func daysOfTheTestPartAreUnseen() throws {
    let parts = try SyntheticPairs.dates.parts(seed: 9, trainingCount: 20_000, testCount: 2000)
    let testDays = Set(parts.test.map(\.target))
    #expect(testDays.count == 2000)
    #expect(parts.training.allSatisfy { !testDays.contains($0.target) })
    // A string has one meaning.
    var meanings: [String: String] = [:]
    for pair in parts.training + parts.test {
        #expect(
            meanings.updateValue(pair.target, forKey: pair.source) ?? pair.target == pair.target)
    }
    let years = (parts.training + parts.test).map { $0.target.prefix(4) }
    #expect(years.min() == "1900" && years.max() == "2099")
    let again = try SyntheticPairs.dates.parts(seed: 9, trainingCount: 5, testCount: 2000)
    #expect(again.test == parts.test && again.training == Array(parts.training.prefix(5)))
    #expect(
        message { _ = try SyntheticPairs.dates.parts(seed: 9, trainingCount: 1, testCount: 73_049) }
            == "dates: there are only 73048 different samples of this kind, but 73049 are asked for"
    )
}

@Test func datesAreThoseOfEveryEarlierVersion() throws {
    let parts = try SyntheticPairs.dates.parts(seed: 1, trainingCount: 2, testCount: 2)
    #expect(
        (parts.test + parts.training).map(\.source) == [
            "May 12, 2064", "Friday, 16 June 1916", "08.10.1932", "14.07.1968",
        ])
}

@Test func pairsWrittenToAFileComeBack() throws {
    for task in [SyntheticPairs.dates, .reversal(symbols: 62, lengths: 1...9)] {
        let pairs = try task.parts(seed: 3, trainingCount: 200, testCount: 0).training
        try withFiles(["pairs.tsv": SyntheticPairs.tabSeparated(pairs)]) { path in
            let read = try PairedText(tabSeparated: path("pairs.tsv"))
            #expect((0..<read.count).map { read[$0] } == pairs)
        }
    }
}
