/// Where a listing goes on, or how far an answer to one reaches.
public struct ListPosition: Sendable, Equatable {
    /// Only greater keys follow.
    public var key: [UInt8]
    /// Also skips every key that begins with `key`: it was a common prefix.
    public var isPrefix: Bool

    public init(key: [UInt8], isPrefix: Bool = false) {
        self.key = key
        self.isPrefix = isPrefix
    }

    /// Whether this key is at or before the position.
    public func covers(_ key: [UInt8]) -> Bool {
        isPrefix && key.starts(with: self.key) || !self.key.lexicographicallyPrecedes(key)
    }

    /// Whether some keys are behind this position and not behind the other. A common prefix reaches as far as the last key
    /// that begins with it.
    public func precedes(_ other: ListPosition) -> Bool {
        if isPrefix, other.key.starts(with: key) { return false }
        if other.isPrefix, key.starts(with: other.key) { return true }
        return key.lexicographicallyPrecedes(other.key)
    }
}
