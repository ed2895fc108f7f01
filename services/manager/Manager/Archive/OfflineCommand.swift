import ArgumentParser
import ClusterState
import ClusterStore
import Configuration
import EtcdStore
import Foundation
import Logging
import Model
import Observability
import ProcessRuntime

/// Work on the store while this manager does not run: it holds the lock of the manager's folder.
struct OfflineManager {
    let configuration: Configuration
    let name: NodeName
    /// Locked as long as this lives.
    let directory: DataDirectory
    let logger: Logger

    /// Ends the process when something is wrong: 78 for the configuration, 73 for the folder.
    init(_ options: ProcessOptions) {
        configuration = options.loadConfiguration(CommonSettings.local + ManagerSettings.all)
        let given = configuration[CommonSettings.name]
        name = NodeName(given.isEmpty ? "manager" : given)
        LogSetup.bootstrap(level: .warning, format: .text, node: name.rawValue)
        logger = Logger(label: "martlet.manager")
        let path = configuration[CommonSettings.data]
        guard !path.isEmpty else { Self.end(78, "node.data: a data directory is required") }
        do throws(DataDirectory.Refused) {
            directory = try DataDirectory(path: path, role: "manager")
        } catch {
            Self.end(73, error.description)
        }
    }

    func masterKey() throws -> MasterKey {
        try MasterKeyFile.load(
            configured: configuration[ManagerSettings.masterKey], directory: directory.path, isNew: false)
    }

    /// Another client name than the manager's: a manager of this name may still be known to etcd.
    func etcd() throws -> EtcdOptions {
        try ManagerStore.etcd(configuration, client: "\(name)-offline")
    }

    static func end(_ status: Int32, _ message: String) -> Never {
        FileHandle.standardError.write(Data("\(message)\n".utf8))
        exit(status)
    }
}

/// Runs the command that the first argument names, and ends the process; returns when it names none.
public func runOfflineCommand(_ arguments: [String]) async {
    let commands: [any AsyncParsableCommand.Type] = [MigrateStoreCommand.self, RestoreStateCommand.self]
    guard let command = commands.first(where: { $0.configuration.commandName == arguments.first }) else { return }
    do {
        var parsed = try command.parse(Array(arguments.dropFirst()))
        try await parsed.run()
        exit(0)
    } catch {
        command.exit(withError: error)
    }
}

/// `martlet-manager migrate-store`: moves the state from the file to etcd.
struct MigrateStoreCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "migrate-store",
        abstract: "Moves the cluster's state from this manager's file to etcd.",
        discussion: """
            The manager must not be running; clients go on meanwhile. The keys in etcd (manager.etcd_prefix) must be \
            new. Afterwards the file is kept but refused: start the manager with manager.store = "etcd".

            Exit status: 0 done, 1 not done (run it again), 73 the folder is in use, 78 the configuration is wrong.

            EXAMPLE: martlet-manager migrate-store --config /etc/martlet/manager.toml
            """)

    @OptionGroup var process: ProcessOptions

    func run() async throws {
        let manager = OfflineManager(process)
        do {
            let count = try await StoreMigration(manager).run()
            print("\(count) entries are in etcd now; start the manager with manager.store = \"etcd\"")
        } catch {
            OfflineManager.end(1, "not moved: \(error)")
        }
    }
}

/// `martlet-manager restore-state FILE`: fills an empty store from a backup.
struct RestoreStateCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "restore-state",
        abstract: "Fills an empty store from a backup that martlet-adm state backup made.",
        discussion: """
            No manager of the cluster may run. The store that the configuration names must be empty, and the master \
            key must be the one of the backup (the file master-key in node.data, or manager.master_key).

            Exit status: 0 done, 1 refused, 73 the folder is in use, 78 the configuration is wrong.

            EXAMPLE: martlet-manager restore-state --config /etc/martlet/manager.toml /backup/state.json
            """)

    @OptionGroup var process: ProcessOptions
    @Argument(help: "The backup.", completion: .file()) var file: String

    func run() async throws {
        let manager = OfflineManager(process)
        do {
            guard let bytes = try DurableFile.read(file) else { throw StateArchive.Damage("there is no file \(file)") }
            let archive = try StateArchive(decoding: bytes)
            let entries = try StateRestore.entries(archive, masterKey: manager.masterKey())
            let revision = archive.revision + StateRestore.revisionStep
            try await fill(manager, entries, after: revision)
            print("\(entries.count) entries of cluster \(archive.clusterID), as of \(archive.takenAt), are restored")
        } catch {
            OfflineManager.end(1, "not restored: \(error)")
        }
    }

    private func fill(_ manager: OfflineManager, _ entries: [StoreEntry], after revision: UInt64) async throws {
        if manager.configuration[StoreSettings.engine] == "etcd" {
            return try await EtcdClusterStore.fill(
                manager.etcd(), with: entries, after: revision, logger: manager.logger)
        }
        let store = try ManagerStore.openFile(manager.directory.path)
        try await store.fill(with: entries, after: revision)
        try await store.close()
    }
}
