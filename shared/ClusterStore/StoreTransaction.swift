/// Conditions, and what to do when all of them hold.
public struct StoreTransaction: Sendable, Equatable {
    public enum Condition: Sendable, Equatable {
        /// The key's last change is this revision.
        case revision(key: String, is: UInt64)
        case absent(key: String)
    }

    public enum Operation: Sendable, Equatable {
        case put(key: String, value: [UInt8], lease: LeaseID?)
        /// Does nothing when there is no such key.
        case delete(key: String)
    }

    public var conditions: [Condition]
    public var operations: [Operation]

    public init(when conditions: [Condition] = [], _ operations: [Operation] = []) {
        self.conditions = conditions
        self.operations = operations
    }

    public mutating func put(_ key: String, _ value: [UInt8], lease: LeaseID? = nil) {
        operations.append(.put(key: key, value: value, lease: lease))
    }

    public mutating func delete(_ key: String) { operations.append(.delete(key: key)) }
}

public enum TransactionOutcome: Sendable, Equatable {
    /// All its changes have this revision; a transaction that changed nothing has the store's present one.
    case committed(revision: UInt64)
    /// A condition did not hold; nothing was changed.
    case conflict(revision: UInt64)
}

public enum StoreError: Error, Sendable, Equatable {
    /// The history was compacted: changes up to `oldest` cannot be told one by one any more.
    case compacted(oldest: UInt64)
    case unknownLease
    case closed
    /// A file of another program, or of a newer version.
    case foreignFormat(String)
    /// The engine cannot serve: disk full, no leader, …
    case unavailable(String)
}
