/// Where the managers keep the cluster's state: an ordered map with one revision for every change of it.
///
/// Engines differ in where the data is; all pass the same conformance tests. A manager holds nothing that is not in
/// the store.
public protocol ClusterStore: Sendable {
    /// The entry of a key, nil when there is none.
    func get(_ key: String) async throws(StoreError) -> StoreEntry?

    /// Entries in the order of their keys' UTF-8 bytes, all of one revision.
    func range(_ range: KeyRange, limit: Int?) async throws(StoreError) -> StoreSnapshot

    /// Applies all operations or none. Durable before it returns.
    func commit(_ transaction: StoreTransaction) async throws(StoreError) -> TransactionOutcome

    /// Changes after a revision, in order, each revision whole; then those to come.
    ///
    /// Ends with ``StoreError/compacted(oldest:)`` when the history does not reach back that far: read the range again.
    func watch(_ range: KeyRange, after revision: UInt64) -> StoreWatch

    /// Forgets the history up to a revision. Present entries stay.
    func compact(upTo revision: UInt64) async throws(StoreError)

    /// A lease that ends unless it is renewed. Entries that were put under it end with it.
    func grantLease(seconds: Int) async throws(StoreError) -> LeaseID
    func renewLease(_ lease: LeaseID) async throws(StoreError)
    func revokeLease(_ lease: LeaseID) async throws(StoreError)

    func close() async throws(StoreError)
}

extension ClusterStore {
    public func range(_ range: KeyRange) async throws(StoreError) -> StoreSnapshot {
        try await self.range(range, limit: nil)
    }
}

public struct LeaseID: RawRepresentable, Hashable, Sendable {
    public var rawValue: UInt64
    public init(rawValue: UInt64) { self.rawValue = rawValue }
}

/// One key with its value.
public struct StoreEntry: Sendable, Equatable {
    public var key: String
    public var value: [UInt8]
    /// Revision of the last change.
    public var revision: UInt64
    public var lease: LeaseID?

    public init(key: String, value: [UInt8], revision: UInt64, lease: LeaseID? = nil) {
        self.key = key
        self.value = value
        self.revision = revision
        self.lease = lease
    }
}

/// Entries of a range at one revision.
public struct StoreSnapshot: Sendable, Equatable {
    public var revision: UInt64
    public var entries: [StoreEntry]
    /// A limit cut it off.
    public var truncated: Bool

    public init(revision: UInt64, entries: [StoreEntry], truncated: Bool = false) {
        self.revision = revision
        self.entries = entries
        self.truncated = truncated
    }
}

/// What happened to one key in one revision.
public struct StoreChange: Sendable, Equatable {
    public var key: String
    /// nil: deleted.
    public var value: [UInt8]?
    public var revision: UInt64

    public init(key: String, value: [UInt8]?, revision: UInt64) {
        self.key = key
        self.value = value
        self.revision = revision
    }
}

/// Keys from a first one up to an end that does not belong to them.
public struct KeyRange: Hashable, Sendable {
    public var first: String
    /// nil: to the last key.
    public var end: String?

    public init(first: String, end: String?) {
        self.first = first
        self.end = end
    }

    public static let all = KeyRange(first: "", end: nil)

    /// The keys that begin with a prefix of ASCII.
    public init(prefix: String) {
        precondition(prefix.utf8.allSatisfy { $0 < 0x7F }, "prefixes are ASCII")
        guard let last = prefix.utf8.last else {
            self = .all
            return
        }
        self.init(first: prefix, end: prefix.dropLast() + String(UnicodeScalar(last + 1)))
    }

    public func contains(_ key: String) -> Bool {
        guard !key.utf8.lexicographicallyPrecedes(first.utf8) else { return false }
        return end.map { key.utf8.lexicographicallyPrecedes($0.utf8) } ?? true
    }
}
