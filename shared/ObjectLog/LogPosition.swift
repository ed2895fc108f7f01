/// Where a record begins in the log of one disk: segment and offset. Positions grow with the order of writing.
public struct LogPosition: Hashable, Comparable, Sendable, CustomStringConvertible {
    /// The form in which indexes store it.
    public let rawValue: UInt64

    public init(rawValue: UInt64) { self.rawValue = rawValue }

    public init(segment: UInt32, offset: UInt32) { rawValue = UInt64(segment) << 32 | UInt64(offset) }

    /// Before every record.
    public static let start = LogPosition(rawValue: 0)

    public var segment: UInt32 { UInt32(truncatingIfNeeded: rawValue >> 32) }
    public var offset: UInt32 { UInt32(truncatingIfNeeded: rawValue) }

    func advanced(by bytes: Int) -> LogPosition { LogPosition(rawValue: rawValue + UInt64(bytes)) }

    public static func < (a: Self, b: Self) -> Bool { a.rawValue < b.rawValue }
    public var description: String { "\(segment):\(offset)" }
}
