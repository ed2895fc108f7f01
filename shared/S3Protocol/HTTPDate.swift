/// Dates in headers and documents. Whole seconds since 1970, UTC; no locale, no time zone database.
public enum HTTPDate {
    private static let months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
    private static let weekdays = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"]

    /// `Sun, 06 Nov 1994 08:49:37 GMT`.
    public static func format(_ seconds: Int64) -> String {
        let date = CivilDate(seconds: seconds)
        let weekday = weekdays[Int(date.daysSinceEpoch.floorRemainder(7))]
        let day = DateTemplate.fill("00", (0, 2, date.day))
        let rest = DateTemplate.fill(
            "0000 00:00:00", (0, 4, date.year), (5, 2, date.hour), (8, 2, date.minute), (11, 2, date.second))
        return "\(weekday), \(day) \(months[date.month - 1]) \(rest) GMT"
    }

    /// `2009-10-12T17:50:30.000Z`.
    public static func iso8601(milliseconds: Int64) -> String {
        let date = CivilDate(seconds: milliseconds.floorQuotient(1000))
        return DateTemplate.fill(
            "0000-00-00T00:00:00.000Z", (0, 4, date.year), (5, 2, date.month), (8, 2, date.day), (11, 2, date.hour),
            (14, 2, date.minute), (17, 2, date.second), (20, 3, Int(milliseconds.floorRemainder(1000))))
    }

    /// Milliseconds since 1970 of `2009-10-12T17:50:30Z`, with or without a fraction of a second, or with an offset like
    /// `+01:00` for the Z; of `2009-10-12` midnight UTC. nil for anything else.
    public static func parseISO8601(_ text: String) -> Int64? {
        let halves = text.split(separator: "T", omittingEmptySubsequences: false)
        guard (1...2).contains(halves.count), let day = civilDay(halves[0]) else { return nil }
        guard halves.count == 2 else { return day * 86_400_000 }
        var clock = halves[1]
        var offset: Int64 = 0
        if clock.hasSuffix("Z") {
            clock = clock.dropLast()
        } else {
            guard let sign = clock.lastIndex(where: { $0 == "+" || $0 == "-" }),
                let minutes = minutes(clock[clock.index(after: sign)...])
            else { return nil }
            offset = (clock[sign] == "+" ? 1 : -1) * minutes * 60_000
            clock = clock[..<sign]
        }
        guard let time = milliseconds(clock) else { return nil }
        return day * 86_400_000 + time - offset
    }

    /// Days since 1970 of `2009-10-12`.
    private static func civilDay(_ text: Substring) -> Int64? {
        let parts = text.split(separator: "-", omittingEmptySubsequences: false)
        guard parts.count == 3, parts[0].utf8.count == 4, let year = digits(parts[0]), let month = digits(parts[1]),
            let day = digits(parts[2]), (1...12).contains(month), (1...31).contains(day)
        else { return nil }
        let days = CivilDate.daysSinceEpoch(year: year, month: month, day: day)
        return CivilDate(seconds: days * 86400).day == day ? days : nil
    }

    /// Of `08:49:37.123`.
    private static func milliseconds(_ text: Substring) -> Int64? {
        let parts = text.split(separator: ".", omittingEmptySubsequences: false)
        let clock = parts[0].split(separator: ":", omittingEmptySubsequences: false).map { digits($0) ?? -1 }
        guard parts.count <= 2, clock.count == 3, (0..<24).contains(clock[0]), (0..<60).contains(clock[1]),
            (0...60).contains(clock[2])
        else { return nil }
        var fraction = 0
        if parts.count == 2 {
            guard (1...9).contains(parts[1].utf8.count), digits(parts[1]) != nil else { return nil }
            fraction = digits((parts[1] + "00").prefix(3)) ?? 0
        }
        return Int64(clock[0] * 3600 + clock[1] * 60 + clock[2]) * 1000 + Int64(fraction)
    }

    /// Of `01:00`.
    private static func minutes(_ text: Substring) -> Int64? {
        let parts = text.split(separator: ":", omittingEmptySubsequences: false).map { digits($0) ?? -1 }
        guard parts.count == 2, (0..<24).contains(parts[0]), (0..<60).contains(parts[1]) else { return nil }
        return Int64(parts[0] * 60 + parts[1])
    }

    private static func digits(_ text: Substring) -> Int? {
        text.utf8.allSatisfy { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) } ? Int(text) : nil
    }

    /// Any of the three forms of RFC 9110 section 5.6.7; nil for anything else.
    public static func parse(_ text: String) -> Int64? {
        let words = text.split { $0 == " " || $0 == "," || $0 == "-" }.map(String.init)
        switch words.count {
        // IMF-fixdate, and RFC 850 with two digits of year
        case 6 where ["GMT", "UTC", "+0000", "0000"].contains(words[5]):
            guard let year = year(words[3]) else { return nil }
            return seconds(year: year, month: words[2], day: words[1], time: words[4])
        // asctime
        case 5:
            guard words[4].utf8.count == 4, let year = Int(words[4]) else { return nil }
            return seconds(year: year, month: words[1], day: words[2], time: words[3])
        default: return nil
        }
    }

    private static func year(_ word: String) -> Int? {
        guard let number = Int(word), number >= 0 else { return nil }
        switch word.utf8.count {
        case 4: return number
        case 2: return number < 70 ? 2000 + number : 1900 + number
        default: return nil
        }
    }

    private static func seconds(year: Int, month: String, day: String, time: String) -> Int64? {
        let clock = time.split(separator: ":", omittingEmptySubsequences: false).map { Int($0) ?? -1 }
        guard let month = months.firstIndex(of: month), let day = Int(day), (1...31).contains(day), year >= 1,
            clock.count == 3, (0..<24).contains(clock[0]), (0..<60).contains(clock[1]), (0...60).contains(clock[2])
        else { return nil }
        let days = CivilDate.daysSinceEpoch(year: year, month: month + 1, day: day)
        guard CivilDate(seconds: days * 86400).day == day else { return nil }
        return days * 86400 + Int64(clock[0] * 3600 + clock[1] * 60 + clock[2])
    }
}

/// A day of the Gregorian calendar and a time of it. Conversions after H. Hinnant, "chrono-Compatible Low-Level Date
/// Algorithms": years begin in March, so that leap days come last.
public struct CivilDate: Sendable {
    public let year: Int
    /// From 1.
    public let month: Int
    /// From 1.
    public let day: Int
    /// UTC.
    public let secondOfDay: Int
    let daysSinceEpoch: Int64

    /// - Parameter seconds: since 1970.
    public init(seconds: Int64) {
        daysSinceEpoch = seconds.floorQuotient(86400)
        secondOfDay = Int(seconds.floorRemainder(86400))
        let shifted = daysSinceEpoch + 719_468
        let era = shifted.floorQuotient(146_097)
        let dayOfEra = shifted - era * 146_097
        let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let monthFromMarch = (5 * dayOfYear + 2) / 153
        day = Int(dayOfYear - (153 * monthFromMarch + 2) / 5 + 1)
        month = Int(monthFromMarch < 10 ? monthFromMarch + 3 : monthFromMarch - 9)
        year = Int(yearOfEra + era * 400) + (monthFromMarch >= 10 ? 1 : 0)
    }

    /// Days that the calendar does not have count on into the next month.
    public static func daysSinceEpoch(year: Int, month: Int, day: Int) -> Int64 {
        let year = Int64(month <= 2 ? year - 1 : year)
        let era = year.floorQuotient(400)
        let yearOfEra = year - era * 400
        let dayOfYear = Int64((153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1)
        return era * 146_097 + yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear - 719_468
    }

    public var hour: Int { secondOfDay / 3600 }
    public var minute: Int { secondOfDay / 60 % 60 }
    public var second: Int { secondOfDay % 60 }
}

extension Int64 {
    fileprivate func floorQuotient(_ divisor: Int64) -> Int64 {
        self >= 0 ? self / divisor : -((divisor - 1 - self) / divisor)
    }

    fileprivate func floorRemainder(_ divisor: Int64) -> Int64 { self - floorQuotient(divisor) * divisor }
}
