import Model

/// What to list: keys of one keyspace of one bucket, in the order of their bytes or backwards.
public struct ListQuery: Sendable {
    public var bucket: BucketID
    public var keyspace: Keyspace
    public var prefix: [UInt8]
    /// Only what comes after this.
    public var after: ListPosition?
    /// Only what comes before this. Empty: no bound.
    public var until: [UInt8]
    public var direction: ListDirection
    /// Keys with this after the prefix are rolled up into one common prefix. Empty: none are.
    public var delimiter: [UInt8]
    /// Entries of the page: keys and common prefixes together.
    public var limit: Int
    /// Whether entries carry the record, not only the summary.
    public var withRecords: Bool
    /// Also keys that have a tombstone with a summary: delete markers. Not together with a delimiter.
    public var withMarkers: Bool

    public init(
        bucket: BucketID, keyspace: Keyspace = .objects, prefix: [UInt8] = [], after: ListPosition? = nil,
        until: [UInt8] = [], direction: ListDirection = .forward, delimiter: [UInt8] = [],
        limit: Int = Limits.listKeysMax, withRecords: Bool = false,
        withMarkers: Bool = false
    ) {
        self.bucket = bucket
        self.keyspace = keyspace
        self.prefix = prefix
        self.after = after
        self.until = until
        self.direction = direction
        self.delimiter = delimiter
        self.limit = limit
        self.withRecords = withRecords
        self.withMarkers = withMarkers
    }
}

public enum ListedEntry: Sendable, Equatable {
    /// `record` only when it was asked for.
    case key([UInt8], summary: [UInt8], record: [UInt8]?)
    /// Ends with the delimiter. At least one live key begins with it.
    case commonPrefix([UInt8])

    var position: ListPosition {
        switch self {
        case .key(let key, _, _): ListPosition(key: key)
        case .commonPrefix(let prefix): ListPosition(key: prefix, isPrefix: true)
        }
    }
}

public struct ListPage: Sendable, Equatable {
    public var entries: [ListedEntry]
    /// There is more. A page may be short of its limit and still be truncated.
    public var truncated: Bool
    /// Where the next page begins; nil at the end.
    public var next: ListPosition?

    public init(entries: [ListedEntry] = [], truncated: Bool = false, next: ListPosition? = nil) {
        self.entries = entries
        self.truncated = truncated
        self.next = next
    }
}
