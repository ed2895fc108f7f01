import S3Protocol

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
        let midnight = CivilDate.daysSinceEpoch(year: year, month: month, day: day) * 86400
        guard CivilDate(seconds: midnight).day == day else { return nil }
        seconds = midnight + Int64(hour * 3600 + minute * 60 + second)
    }

    /// `20130524T000000Z`.
    public var text: String {
        let date = CivilDate(seconds: seconds)
        return DateTemplate.fill(
            "00000000T000000Z", (0, 4, date.year), (4, 2, date.month), (6, 2, date.day), (9, 2, date.hour),
            (11, 2, date.minute), (13, 2, date.second))
    }

    /// `20130524`.
    public var day: String {
        let date = CivilDate(seconds: seconds)
        return DateTemplate.fill("00000000", (0, 4, date.year), (4, 2, date.month), (6, 2, date.day))
    }
}
