import Foundation

/// "2019-12-05 08:36:52 +0000", as leofs-adm shows time.
enum TimeText {
    /// Empty for 0: it did not happen yet.
    static func make(milliseconds: Int64) -> String {
        guard milliseconds != 0 else { return "" }
        let formatter = DateFormatter()
        formatter.locale = Locale(identifier: "en_US_POSIX")
        formatter.timeZone = TimeZone(secondsFromGMT: 0)
        formatter.dateFormat = "yyyy-MM-dd HH:mm:ss Z"
        return formatter.string(from: Date(timeIntervalSince1970: Double(milliseconds) / 1_000))
    }
}
