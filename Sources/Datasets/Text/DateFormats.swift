// Days and the ways to write them. Each way can be read in one way only: numbers with slashes are
// American (month first), with dots European (day first), and years have four digits.

/// A day of the Gregorian calendar from 1900-01-01 to 2099-12-31.
struct CalendarDay: Equatable, Sendable {
    let year: Int
    let month: Int
    let day: Int
    /// 0 is Sunday.
    let weekday: Int

    static let firstYear = 1900
    static let lastYear = 2099
    /// Of these 200 years 49 are leap years: all multiples of four but 1900.
    static let dayCount = 200 * 365 + 49

    /// - Parameter number: days since 1900-01-01.
    init(number: Int) {
        precondition((0..<Self.dayCount).contains(number), "day \(number)")
        // 1900-01-01 was a Monday.
        weekday = (number + 1) % 7
        var (year, left) = (Self.firstYear, number)
        while left >= Self.length(ofYear: year) {
            left -= Self.length(ofYear: year)
            year += 1
        }
        var month = 1
        while left >= Self.length(ofMonth: month, year: year) {
            left -= Self.length(ofMonth: month, year: year)
            month += 1
        }
        self.year = year
        self.month = month
        day = left + 1
    }

    /// As ISO 8601 writes it.
    var iso: String { "\(year)-\(Self.twoDigits(month))-\(Self.twoDigits(day))" }

    private static func isLeap(_ year: Int) -> Bool {
        year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
    }

    private static func length(ofYear year: Int) -> Int { isLeap(year) ? 366 : 365 }

    private static func length(ofMonth month: Int, year: Int) -> Int {
        switch month {
        case 2: isLeap(year) ? 29 : 28
        case 4, 6, 9, 11: 30
        default: 31
        }
    }

    static func twoDigits(_ number: Int) -> String { number < 10 ? "0\(number)" : "\(number)" }

    var monthName: String { Self.monthNames[month - 1] }
    var shortMonthName: String { String(monthName.prefix(3)) }
    var weekdayName: String { Self.weekdayNames[weekday] }

    /// "1st", "2nd", "3rd", "4th".
    var ordinal: String {
        let suffix =
            switch (day % 10, day / 10) {
            case (_, 1): "th"
            case (1, _): "st"
            case (2, _): "nd"
            case (3, _): "rd"
            default: "th"
            }
        return "\(day)\(suffix)"
    }

    private static let monthNames = [
        "January", "February", "March", "April", "May", "June", "July", "August", "September",
        "October", "November", "December",
    ]
    private static let weekdayNames = [
        "Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday",
    ]
}

enum DateFormats {
    /// Above each, 9 March 2011.
    static let all: [@Sendable (CalendarDay) -> String] = [
        // 9.3.2011
        { "\($0.day).\($0.month).\($0.year)" },
        // 09.03.2011
        { "\(two($0.day)).\(two($0.month)).\($0.year)" },
        // 3/9/2011
        { "\($0.month)/\($0.day)/\($0.year)" },
        // 03/09/2011
        { "\(two($0.month))/\(two($0.day))/\($0.year)" },
        // 2011/03/09
        { "\($0.year)/\(two($0.month))/\(two($0.day))" },
        // 20110309
        { "\($0.year)\(two($0.month))\(two($0.day))" },
        // 9 March 2011
        { "\($0.day) \($0.monthName) \($0.year)" },
        // 9 Mar 2011
        { "\($0.day) \($0.shortMonthName) \($0.year)" },
        // March 9, 2011
        { "\($0.monthName) \($0.day), \($0.year)" },
        // Mar 9th, 2011
        { "\($0.shortMonthName) \($0.ordinal), \($0.year)" },
        // the 9th of March 2011
        { "the \($0.ordinal) of \($0.monthName) \($0.year)" },
        // 09-Mar-2011
        { "\(two($0.day))-\($0.shortMonthName)-\($0.year)" },
        // Wednesday, 9 March 2011
        { "\($0.weekdayName), \($0.day) \($0.monthName) \($0.year)" },
        // Wed Mar 9 2011
        { "\($0.weekdayName.prefix(3)) \($0.shortMonthName) \($0.day) \($0.year)" },
        // 2011, March 9
        { "\($0.year), \($0.monthName) \($0.day)" },
        // MARCH 9 2011
        { "\($0.monthName.uppercased()) \($0.day) \($0.year)" },
    ]

    private static func two(_ number: Int) -> String { CalendarDay.twoDigits(number) }
}
