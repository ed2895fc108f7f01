/// A moment as signatures write it: `20130524T000000Z`. Whole seconds, UTC.
public struct SigningTime: Sendable, Hashable {
    /// Since 1970.
    public let seconds: Int64

    public init(seconds: Int64) { self.seconds = seconds }

    /// nil unless the text is exactly of the form above and names a real day.
    public init?(_ text: some StringProtocol) {
        let bytes = Array(text.utf8)
        guard bytes.count == 16, bytes[8] == UInt8(ascii: "T"), bytes[15] == UInt8(ascii: "Z") else { return nil }
        func number(_ range: Range<Int>) -> Int? {
            var value = 0
            for byte in bytes[range] {
                guard (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) else { return nil }
                value = value * 10 + Int(byte - UInt8(ascii: "0"))
            }
            return value
        }
        guard let year = number(0..<4), let month = number(4..<6), let day = number(6..<8), let hour = number(9..<11),
            let minute = number(11..<13), let second = number(13..<15), (1...12).contains(month),
            (1...31).contains(day), hour < 24, minute < 60, second < 61
        else { return nil }
        let days = Self.days(year: year, month: month, day: day)
        guard Self.civil(days: days) == (year, month, day) else { return nil }
        seconds = days * 86400 + Int64(hour * 3600 + minute * 60 + second)
    }

    /// `20130524T000000Z`.
    public var text: String {
        let ofDay = Int(seconds - dayNumber * 86400)
        return "\(day)T\(Self.two(ofDay / 3600))\(Self.two(ofDay / 60 % 60))\(Self.two(ofDay % 60))Z"
    }

    /// `20130524`.
    public var day: String {
        let (year, month, day) = Self.civil(days: dayNumber)
        return "\(Self.two(year / 100))\(Self.two(year % 100))\(Self.two(month))\(Self.two(day))"
    }

    private var dayNumber: Int64 { seconds >= 0 ? seconds / 86400 : (seconds - 86399) / 86400 }

    private static func two(_ number: Int) -> String { number < 10 ? "0\(number)" : "\(number)" }

    // Years begin in March here, so that a leap day is the last of its year.
    private static func days(year: Int, month: Int, day: Int) -> Int64 {
        let year = Int64(month <= 2 ? year - 1 : year)
        let era = (year >= 0 ? year : year - 399) / 400
        let yearOfEra = year - era * 400
        let dayOfYear = Int64((153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1)
        return era * 146_097 + yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear - 719_468
    }

    private static func civil(days: Int64) -> (year: Int, month: Int, day: Int) {
        let shifted = days + 719_468
        let era = (shifted >= 0 ? shifted : shifted - 146_096) / 146_097
        let dayOfEra = shifted - era * 146_097
        let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let month = (5 * dayOfYear + 2) / 153
        return (
            Int(yearOfEra + era * 400) + (month >= 10 ? 1 : 0), Int(month < 10 ? month + 3 : month - 9),
            Int(dayOfYear - (153 * month + 2) / 5 + 1)
        )
    }
}
