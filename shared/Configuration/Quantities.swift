/// A number of bytes. Written with a unit: `64 MiB`, `1.5GB`, `4096`.
public struct ByteSize: Hashable, Comparable, Sendable, SettingValue {
    public var bytes: Int

    public init(bytes: Int) { self.bytes = bytes }
    public static func kibibytes(_ count: Int) -> ByteSize { ByteSize(bytes: count << 10) }
    public static func mebibytes(_ count: Int) -> ByteSize { ByteSize(bytes: count << 20) }
    public static func gibibytes(_ count: Int) -> ByteSize { ByteSize(bytes: count << 30) }

    public static func < (a: Self, b: Self) -> Bool { a.bytes < b.bytes }
    public static var typeName: String { "size" }

    private static let units: [String: Double] = [
        "": 1, "b": 1, "kb": 1e3, "mb": 1e6, "gb": 1e9, "tb": 1e12,
        "k": 0x1p10, "m": 0x1p20, "g": 0x1p30, "t": 0x1p40,
        "kib": 0x1p10, "mib": 0x1p20, "gib": 0x1p30, "tib": 0x1p40,
    ]

    public init(parsing raw: RawValue) throws(InvalidValue) {
        let text = try raw.single(Self.typeName)
        let (number, unit) = try splitQuantity(text, example: "64 MiB")
        guard let factor = Self.units[unit] else {
            throw InvalidValue("unknown unit \"\(unit)\"; use B, KiB, MiB, GiB, TiB, KB, MB, GB or TB")
        }
        guard number * factor < 9e18 else { throw InvalidValue("\"\(text)\" is too large") }
        bytes = Int(number * factor)
    }

    /// The largest binary unit that divides the number.
    public var description: String {
        for (name, shift) in [("TiB", 40), ("GiB", 30), ("MiB", 20), ("KiB", 10)]
        where bytes != 0 && bytes % (1 << shift) == 0 {
            return "\(bytes >> shift) \(name)"
        }
        return "\(bytes) B"
    }

    public var tomlText: String { description.tomlText }
}

extension ByteSize: CustomStringConvertible {}

/// Written with a unit: `500ms`, `2 s`, `1.5m`, `24h`, `7d`. A plain number is refused: nobody knows its unit.
extension Duration: SettingValue {
    public static var typeName: String { "duration" }

    private static let units: [String: Double] = [
        "ns": 1, "us": 1e3, "ms": 1e6, "s": 1e9, "m": 60e9, "min": 60e9, "h": 3600e9, "d": 86400e9,
    ]

    public init(parsing raw: RawValue) throws(InvalidValue) {
        let text = try raw.single(Self.typeName)
        let (number, unit) = try splitQuantity(text, example: "500ms")
        if unit.isEmpty {
            guard number == 0 else { throw InvalidValue("\"\(text)\" has no unit; use ms, s, m, h or d") }
            self = .zero
            return
        }
        guard let factor = Self.units[unit] else {
            throw InvalidValue("unknown unit \"\(unit)\"; use ns, us, ms, s, m, h or d")
        }
        guard number * factor < 9e18 else { throw InvalidValue("\"\(text)\" is too long") }
        self = .nanoseconds(Int64((number * factor).rounded()))
    }

    private var nanoseconds: Int64 {
        let (seconds, attoseconds) = components
        return seconds * 1_000_000_000 + attoseconds / 1_000_000_000
    }

    public var tomlText: String {
        let value = nanoseconds
        for (name, factor) in [
            ("h", 3_600_000_000_000), ("m", 60_000_000_000), ("s", 1_000_000_000), ("ms", 1_000_000),
        ]
        where value != 0 && value % Int64(factor) == 0 {
            return "\(value / Int64(factor))\(name)".tomlText
        }
        return value == 0 ? "0s".tomlText : "\(value)ns".tomlText
    }
}

/// Splits `12.5 MiB` into 12.5 and `mib`.
private func splitQuantity(_ text: String, example: String) throws(InvalidValue) -> (Double, String) {
    let trimmed = Substring(text).trimming(while: \.isWhitespace)
    let digits = trimmed.prefix { $0.isASCII && ($0.isNumber || $0 == "." || $0 == "_") }
    guard let number = Double(digits.filter { $0 != "_" }), number >= 0 else {
        throw InvalidValue("\"\(text)\" is not a quantity such as \(example)")
    }
    return (number, trimmed.dropFirst(digits.count).trimming(while: \.isWhitespace).lowercased())
}

extension String {
    fileprivate func trimming(while predicate: (Character) -> Bool) -> String {
        Substring(self).trimming(while: predicate)
    }
}
