/// Where a listing goes on, or how far an answer to one reaches.
public struct ListPosition: Sendable, Equatable {
    /// Only keys that come later follow.
    public var key: [UInt8]
    /// Also skips every key that begins with `key`: it was a common prefix. Backwards these all come before it anyway.
    public var isPrefix: Bool

    public init(key: [UInt8], isPrefix: Bool = false) {
        self.key = key
        self.isPrefix = isPrefix
    }

    /// Whether a listing that has come to this position has passed this key.
    public func covers(_ key: [UInt8], _ direction: ListDirection = .forward) -> Bool {
        switch direction {
        case .forward: isPrefix && key.starts(with: self.key) || !bytesPrecede(self.key, key)
        case .backward: !bytesPrecede(key, self.key)
        }
    }

    /// Whether some keys are behind this position and not behind the other. Forwards a common prefix reaches as far as the
    /// last key that begins with it.
    public func precedes(_ other: ListPosition, _ direction: ListDirection = .forward) -> Bool {
        if direction == .forward {
            if isPrefix, other.key.starts(with: key) { return false }
            if other.isPrefix, key.starts(with: other.key) { return true }
        }
        return direction.precedes(key, other.key)
    }
}
