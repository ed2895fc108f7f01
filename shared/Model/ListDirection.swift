/// Which way a listing goes through the keys of a bucket.
public enum ListDirection: Sendable, Equatable {
    /// In the order of their bytes.
    case forward
    case backward

    /// Whether one key comes before another.
    public func precedes(_ a: [UInt8], _ b: [UInt8]) -> Bool {
        switch self {
        case .forward: bytesPrecede(a, b)
        case .backward: bytesPrecede(b, a)
        }
    }
}
