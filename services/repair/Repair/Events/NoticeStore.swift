import Foundation
import GRDB

/// Where notices of removals outlive the process: one SQLite file, one row for each version.
final class NoticeStore: Sendable {
    private let queue: DatabaseQueue

    init(path: String) throws {
        queue = try DurableDatabase.open(
            path, label: "martlet.repair-events", format: 1,
            tables: """
                CREATE TABLE IF NOT EXISTS notices (
                    number INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT UNIQUE NOT NULL, request TEXT NOT NULL,
                    json BLOB NOT NULL)
                """)
    }

    /// Durable when it returns. A later notice of a version takes the place of an earlier one. Returns the ids of those that
    /// did.
    func add(_ notices: [RemovalNotice]) async throws -> [String] {
        let rows = try notices.map { ($0.id, $0.origin.requestID, try JSONEncoder().encode($0)) }
        return try await queue.write { database in
            var known: [String] = []
            for (id, request, json) in rows {
                let isKnown = try Bool.fetchOne(
                    database, sql: "SELECT EXISTS (SELECT 1 FROM notices WHERE id = ?)", arguments: [id])
                if isKnown == true { known.append(id) }
                try database.execute(
                    sql: """
                        INSERT INTO notices (id, request, json) VALUES (?, ?, ?)
                        ON CONFLICT (id) DO UPDATE SET request = excluded.request, json = excluded.json
                        """, arguments: [id, request, json])
            }
            return known
        }
    }

    /// One that was noted again in between stays.
    func remove(_ notices: [RemovalNotice]) async throws {
        guard !notices.isEmpty else { return }
        let rows = notices.map { ($0.id, $0.origin.requestID) }
        try await queue.write { database in
            for (id, request) in rows {
                try database.execute(
                    sql: "DELETE FROM notices WHERE id = ? AND request = ?", arguments: [id, request])
            }
        }
    }

    /// The oldest ones, and how many there are.
    func load(limit: Int) async throws -> (notices: [RemovalNotice], count: Int) {
        try await queue.read { database in
            let count = try Int.fetchOne(database, sql: "SELECT count(*) FROM notices") ?? 0
            let rows = try Data.fetchAll(
                database, sql: "SELECT json FROM notices ORDER BY number LIMIT ?", arguments: [limit])
            return (rows.compactMap { try? JSONDecoder().decode(RemovalNotice.self, from: $0) }, count)
        }
    }

    func close() throws { try queue.close() }
}
