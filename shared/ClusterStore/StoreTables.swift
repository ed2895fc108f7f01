import Foundation
import GRDB

/// The tables of the SQLite engine, and how transactions change them.
enum StoreSchema {
    /// "MTCS": a file of another program is refused.
    static let applicationID = 0x4D54_4353
    static let version = 1

    static func prepare(_ database: Database, path: String) throws {
        let application = try Int.fetchOne(database, sql: "PRAGMA application_id") ?? 0
        let version = try Int.fetchOne(database, sql: "PRAGMA user_version") ?? 0
        if application == applicationID {
            guard version == Self.version else {
                throw StoreError.foreignFormat("\(path) has version \(version), this program knows \(Self.version)")
            }
            return
        }
        let tables = try Int.fetchOne(database, sql: "SELECT count(*) FROM sqlite_master") ?? 0
        guard application == 0, tables == 0 else { throw StoreError.foreignFormat("\(path) is no cluster store") }
        try database.execute(
            sql: """
                CREATE TABLE entries (
                    key TEXT PRIMARY KEY NOT NULL, value BLOB NOT NULL, revision INTEGER NOT NULL, lease INTEGER
                ) WITHOUT ROWID;
                CREATE TABLE changes (
                    revision INTEGER NOT NULL, ordinal INTEGER NOT NULL, key TEXT NOT NULL, value BLOB,
                    PRIMARY KEY (revision, ordinal)
                ) WITHOUT ROWID;
                CREATE TABLE leases (
                    id INTEGER PRIMARY KEY, seconds INTEGER NOT NULL, deadline INTEGER NOT NULL
                );
                CREATE TABLE positions (name TEXT PRIMARY KEY NOT NULL, value INTEGER NOT NULL) WITHOUT ROWID;
                INSERT INTO positions VALUES ('revision', 0), ('compacted', 0), ('lease', 0);
                PRAGMA application_id = \(applicationID);
                PRAGMA user_version = \(Self.version);
                """)
    }
}

enum StoreTables {
    static func position(_ name: String, _ database: Database) throws -> UInt64 {
        let statement = try database.cachedStatement(sql: "SELECT value FROM positions WHERE name = ?")
        return try UInt64(Int64.fetchOne(statement, arguments: [name]) ?? 0)
    }

    static func setPosition(_ name: String, _ value: UInt64, _ database: Database) throws {
        try database.cachedStatement(sql: "UPDATE positions SET value = ? WHERE name = ?")
            .execute(arguments: [Int64(value), name])
    }

    static func revision(_ database: Database) throws -> UInt64 { try position("revision", database) }
    static func compacted(_ database: Database) throws -> UInt64 { try position("compacted", database) }

    static func entry(_ key: String, _ database: Database) throws -> StoreEntry? {
        let statement = try database.cachedStatement(
            sql: "SELECT key, value, revision, lease FROM entries WHERE key = ?")
        return try Row.fetchOne(statement, arguments: [key]).map { StoreEntry(row: $0) }
    }

    static func range(_ range: KeyRange, limit: Int?, _ database: Database) throws -> StoreSnapshot {
        let statement = try database.cachedStatement(
            sql: """
                SELECT key, value, revision, lease FROM entries
                WHERE key >= ?1 AND (?2 IS NULL OR key < ?2) ORDER BY key LIMIT ?3
                """)
        // One more than wanted tells whether there are more; a negative limit is none.
        let asked = limit.map { $0 + 1 } ?? -1
        var entries = try Row.fetchAll(statement, arguments: [range.first, range.end, asked]).map {
            StoreEntry(row: $0)
        }
        let truncated = limit.map { entries.count > $0 } ?? false
        if truncated { entries.removeLast() }
        return StoreSnapshot(revision: try revision(database), entries: entries, truncated: truncated)
    }

    static func commit(_ transaction: StoreTransaction, _ database: Database) throws -> TransactionOutcome {
        let present = try revision(database)
        for condition in transaction.conditions {
            guard try holds(condition, database) else { return .conflict(revision: present) }
        }
        let changed = try apply(transaction.operations, revision: present + 1, database)
        return .committed(revision: changed ? present + 1 : present)
    }

    /// Whether the operations changed anything; if so the store has that revision.
    static func apply(_ operations: [StoreTransaction.Operation], revision: UInt64, _ database: Database) throws -> Bool
    {
        var ordinal = 0
        for operation in operations {
            switch operation {
            case .put(let key, let value, let lease):
                try put(StoreEntry(key: key, value: value, revision: revision, lease: lease), database)
                try note(StoreChange(key: key, value: value, revision: revision), ordinal, database)
            case .delete(let key):
                try database.cachedStatement(sql: "DELETE FROM entries WHERE key = ?").execute(arguments: [key])
                guard database.changesCount > 0 else { continue }
                try note(StoreChange(key: key, value: nil, revision: revision), ordinal, database)
            }
            ordinal += 1
        }
        guard ordinal > 0 else { return false }
        try setPosition("revision", revision, database)
        return true
    }

    private static func holds(_ condition: StoreTransaction.Condition, _ database: Database) throws -> Bool {
        switch condition {
        case .absent(let key): try entry(key, database) == nil
        case .revision(let key, let revision): try entry(key, database)?.revision == revision
        }
    }

    private static func put(_ entry: StoreEntry, _ database: Database) throws {
        if let lease = entry.lease, try !StoreLeases.exists(lease, database) { throw StoreError.unknownLease }
        let lease = entry.lease.map { Int64(bitPattern: $0.rawValue) }
        try database.cachedStatement(sql: "INSERT OR REPLACE INTO entries VALUES (?, ?, ?, ?)")
            .execute(arguments: [entry.key, Data(entry.value), Int64(entry.revision), lease])
    }

    private static func note(_ change: StoreChange, _ ordinal: Int, _ database: Database) throws {
        try database.cachedStatement(sql: "INSERT INTO changes VALUES (?, ?, ?, ?)")
            .execute(arguments: [Int64(change.revision), ordinal, change.key, change.value.map { Data($0) }])
    }

    /// Changes of a range after a revision, whole revisions only, and how far that reaches.
    static func changes(
        _ range: KeyRange, after revision: UInt64, _ database: Database
    ) throws -> (changes: [StoreChange], upTo: UInt64) {
        let present = try self.revision(database)
        let compacted = try self.compacted(database)
        guard revision >= compacted else { throw StoreError.compacted(oldest: compacted) }
        guard revision < present else { return ([], revision) }
        let upTo = min(present, revision + UInt64(SQLiteClusterStore.changesPerBatch))
        let statement = try database.cachedStatement(
            sql: """
                SELECT key, value, revision FROM changes
                WHERE revision > ?1 AND revision <= ?2 AND key >= ?3 AND (?4 IS NULL OR key < ?4)
                ORDER BY revision, ordinal
                """)
        let rows = try Row.fetchAll(statement, arguments: [Int64(revision), Int64(upTo), range.first, range.end])
        return (rows.map { StoreChange(row: $0) }, upTo)
    }

    static func compact(upTo revision: UInt64, _ database: Database) throws {
        let target = min(revision, try self.revision(database))
        guard target > (try compacted(database)) else { return }
        try database.execute(sql: "DELETE FROM changes WHERE revision <= ?", arguments: [Int64(target)])
        try setPosition("compacted", target, database)
    }
}

extension StoreEntry {
    fileprivate init(row: Row) {
        self.init(
            key: row[0], value: Array(row[1] as Data), revision: UInt64(row[2] as Int64),
            lease: (row[3] as Int64?).map { LeaseID(rawValue: UInt64(bitPattern: $0)) })
    }
}

extension StoreChange {
    fileprivate init(row: Row) {
        self.init(key: row[0], value: (row[1] as Data?).map { Array($0) }, revision: UInt64(row[2] as Int64))
    }
}
