import Foundation
import GRDB

/// Where repair tasks outlive the process: one SQLite file, one row of JSON for each task.
final class TaskStore: Sendable {
    private let queue: DatabaseQueue

    /// Opens the file, makes it when there is none. ":memory:" keeps nothing.
    init(path: String) throws {
        // What an operator was told stays after a power failure.
        queue = try DurableDatabase.open(
            path, label: "martlet.repair-tasks", format: 1,
            tables: "CREATE TABLE IF NOT EXISTS tasks (id TEXT PRIMARY KEY NOT NULL, json BLOB NOT NULL)")
    }

    /// All that can be understood.
    func load() throws -> [RepairTask] {
        try queue.read { database in
            try Data.fetchAll(database, sql: "SELECT json FROM tasks").compactMap {
                try? JSONDecoder().decode(RepairTask.self, from: $0)
            }
        }
    }

    /// Durable when it returns. `current` is asked when its turn has come, so that what is stored is never older than
    /// what was stored before; nil: the task is forgotten.
    func save(_ id: String, current: @escaping @Sendable () -> RepairTask?) async throws {
        try await queue.write { database in
            guard let task = current() else {
                return try database.execute(sql: "DELETE FROM tasks WHERE id = ?", arguments: [id])
            }
            try database.execute(
                sql: "INSERT INTO tasks (id, json) VALUES (?, ?) ON CONFLICT (id) DO UPDATE SET json = excluded.json",
                arguments: [id, try JSONEncoder().encode(task)])
        }
    }

    func close() throws { try queue.close() }
}
