import Foundation
import GRDB

/// Where repair tasks outlive the process: one SQLite file, one row of JSON for each task.
final class TaskStore: Sendable {
    /// The file was written by a newer version.
    struct ForeignFormat: Error, CustomStringConvertible {
        var version: Int
        var description: String { "tasks.sqlite has format \(version); this version knows \(TaskStore.format)" }
    }

    private static let format = 1

    private let queue: DatabaseQueue

    /// Opens the file, makes it when there is none. ":memory:" keeps nothing.
    init(path: String) throws {
        var configuration = Configuration()
        configuration.label = "martlet.repair-tasks"
        if path != ":memory:" { configuration.journalMode = .wal }
        queue =
            try path == ":memory:"
            ? DatabaseQueue(configuration: configuration) : DatabaseQueue(path: path, configuration: configuration)
        // What an operator was told stays after a power failure. Not before the queue is open: GRDB sets NORMAL, which
        // syncs at checkpoints only, when it turns WAL on.
        try queue.writeWithoutTransaction { try $0.execute(sql: "PRAGMA synchronous = FULL") }
        try queue.write { database in
            let version = try Int.fetchOne(database, sql: "PRAGMA user_version") ?? 0
            guard version <= Self.format else { throw ForeignFormat(version: version) }
            try database.execute(
                sql: """
                    CREATE TABLE IF NOT EXISTS tasks (id TEXT PRIMARY KEY NOT NULL, json BLOB NOT NULL);
                    PRAGMA user_version = \(Self.format);
                    """)
        }
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
