import GRDB

/// What repair remembers over restarts and power failures: SQLite files in the process's folder.
enum DurableDatabase {
    /// The file was written by a newer version.
    struct ForeignFormat: Error, CustomStringConvertible {
        var file: String
        var version: Int
        var known: Int
        var description: String { "\(file) has format \(version); this version knows \(known)" }
    }

    /// Opens the file, makes it when there is none. ":memory:" keeps nothing.
    /// - Parameter tables: SQL that makes what is not there yet.
    static func open(_ path: String, label: String, format: Int, tables: String) throws -> DatabaseQueue {
        var configuration = Configuration()
        configuration.label = label
        if path != ":memory:" { configuration.journalMode = .wal }
        let queue =
            try path == ":memory:"
            ? DatabaseQueue(configuration: configuration) : DatabaseQueue(path: path, configuration: configuration)
        // A commit is synced. Not before the queue is open: GRDB sets NORMAL, which syncs at checkpoints only, when it turns
        // WAL on.
        try queue.writeWithoutTransaction { try $0.execute(sql: "PRAGMA synchronous = FULL") }
        try queue.write { database in
            let version = try Int.fetchOne(database, sql: "PRAGMA user_version") ?? 0
            guard version <= format else {
                let file = path.split(separator: "/").last.map(String.init) ?? path
                throw ForeignFormat(file: file, version: version, known: format)
            }
            try database.execute(sql: "\(tables); PRAGMA user_version = \(format);")
        }
        return queue
    }
}
