/// A time span for people: its two largest units.
enum DurationText {
    private static let units: [(name: String, seconds: Int64)] = [
        ("y", 31_557_600), ("d", 86_400), ("h", 3_600), ("min", 60), ("s", 1),
    ]

    static func make(seconds: Int64) -> String {
        guard let first = units.firstIndex(where: { seconds >= $0.seconds }) else { return "0 s" }
        let (large, rest) = seconds.quotientAndRemainder(dividingBy: units[first].seconds)
        var text = "\(large) \(units[first].name)"
        if units.indices.contains(first + 1), rest / units[first + 1].seconds > 0 {
            text += " \(rest / units[first + 1].seconds) \(units[first + 1].name)"
        }
        return text
    }
}
