import ClusterState
import ClusterStore
import EtcdStore
import Foundation

/// Moves the state from the file of one manager to etcd.
///
/// The fence comes before the last step: from then on the file is refused, and only then etcd is. A crash at any moment
/// leaves one of the two that serves, or none and the command is run again; never both.
struct StoreMigration {
    private let manager: OfflineManager

    init(_ manager: OfflineManager) { self.manager = manager }

    /// The number of entries moved.
    func run() async throws -> Int {
        let directory = manager.directory.path
        let path = directory + "/" + ManagerStore.fileName
        guard FileManager.default.fileExists(atPath: path) else {
            throw ManagerStore.Refused(description: "there is no \(path)")
        }
        let source = try SQLiteClusterStore(path: path)
        let snapshot = try await source.range(.all)
        try await source.close()
        let entries = snapshot.entries.filter { StateExport.isKept($0.key) }
        guard entries.contains(where: { $0.key == ClusterKeys.settings }) else {
            throw ManagerStore.Refused(description: "\(path) holds no cluster")
        }
        let options = try manager.etcd()
        try await EtcdClusterStore.fill(options, with: entries, after: snapshot.revision, logger: manager.logger) {
            try MovedStore.write(directory, to: options)
        }
        return entries.count
    }
}

/// The fence: a file beside the store says that its state has moved.
enum MovedStore {
    static let fileName = "moved-to-etcd"

    static func write(_ directory: String, to options: EtcdOptions) throws {
        let places = options.endpoints.map(\.description).joined(separator: " ")
        try DurableFile.write(
            Array("The state in \(ManagerStore.fileName) has moved to etcd: \(places) \(options.root)\n".utf8),
            to: directory + "/" + fileName)
    }

    /// Refuses a store whose state has moved.
    static func check(_ directory: String) throws {
        guard let text = try DurableFile.read(directory + "/" + fileName) else { return }
        throw ManagerStore.Refused(
            description: String(decoding: text, as: UTF8.self) + "Start this manager with manager.store = \"etcd\".")
    }
}
