import GRDB

/// Leases of the SQLite engine: their entries are deleted when nobody renews them in time.
enum StoreLeases {
    static func exists(_ lease: LeaseID, _ database: Database) throws -> Bool {
        try Int64.fetchOne(database, sql: "SELECT id FROM leases WHERE id = ?", arguments: [number(lease)]) != nil
    }

    static func grant(seconds: Int, _ database: Database, now: Int64) throws -> LeaseID {
        let id = try StoreTables.position("lease", database) + 1
        try StoreTables.setPosition("lease", id, database)
        try database.execute(
            sql: "INSERT INTO leases VALUES (?, ?, ?)",
            arguments: [Int64(id), seconds, now + Int64(seconds) * 1_000])
        return LeaseID(rawValue: id)
    }

    static func renew(_ lease: LeaseID, _ database: Database, now: Int64) throws {
        try database.execute(
            sql: "UPDATE leases SET deadline = ?1 + seconds * 1000 WHERE id = ?2", arguments: [now, number(lease)])
        guard database.changesCount == 1 else { throw StoreError.unknownLease }
    }

    /// Ends a lease with its entries; the store's revision after it.
    static func end(_ lease: LeaseID, _ database: Database) throws -> UInt64 {
        try database.execute(sql: "DELETE FROM leases WHERE id = ?", arguments: [number(lease)])
        guard database.changesCount == 1 else { throw StoreError.unknownLease }
        let keys = try String.fetchAll(
            database, sql: "SELECT key FROM entries WHERE lease = ? ORDER BY key", arguments: [number(lease)])
        let present = try StoreTables.revision(database)
        let changed = try StoreTables.apply(keys.map { .delete(key: $0) }, revision: present + 1, database)
        return changed ? present + 1 : present
    }

    static func expire(_ database: Database, now: Int64) throws -> (revision: UInt64, nextDeadline: Int64) {
        let due = try Int64.fetchAll(database, sql: "SELECT id FROM leases WHERE deadline <= ?", arguments: [now])
        for id in due { _ = try end(LeaseID(rawValue: UInt64(bitPattern: id)), database) }
        return try (StoreTables.revision(database), nextDeadline(database))
    }

    static func restart(_ database: Database, now: Int64) throws {
        try database.execute(sql: "UPDATE leases SET deadline = ? + seconds * 1000", arguments: [now])
    }

    static func nextDeadline(_ database: Database) throws -> Int64 {
        try Int64.fetchOne(database, sql: "SELECT min(deadline) FROM leases") ?? .max
    }

    private static func number(_ lease: LeaseID) -> Int64 { Int64(bitPattern: lease.rawValue) }
}
