/// A number of bytes for people: four digits at most.
enum ByteText {
    static func make(_ count: UInt64) -> String {
        var (value, unit) = (count, 0)
        while value >= 10_240, unit < 5 { (value, unit) = (value / 1024, unit + 1) }
        return "\(value) " + ["B", "KiB", "MiB", "GiB", "TiB", "PiB"][unit]
    }
}
