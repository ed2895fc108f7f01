import ClusterState
import ClusterStore
import Foundation
import Model

/// What is put into an empty store when a backup is restored. Pure.
enum StateRestore {
    /// Further than any state that processes may have seen after the backup: they take only what is newer.
    static let revisionStep: UInt64 = 1 << 32
    /// More than any number of processes that enrolled after the backup: writer ids are never given twice.
    static let writerStep: UInt64 = 1_000_000

    struct Refused: Error, Equatable, CustomStringConvertible {
        let description: String
    }

    /// Checks the backup against the master key that this manager has.
    static func entries(_ archive: StateArchive, masterKey: MasterKey) throws -> [StoreEntry] {
        var values = Dictionary(
            archive.entries.filter { StateExport.isKept($0.key) }.map { ($0.key, Array($0.value)) }
        ) { first, _ in first }
        guard values.count == archive.entries.count(where: { StateExport.isKept($0.key) }) else {
            throw Refused(description: "the backup has a key twice")
        }
        guard values[ClusterKeys.settings] != nil else {
            throw Refused(description: "the backup has no settings of a cluster")
        }
        guard let check = values[ManagerKeys.masterKeyCheck], (try? masterKey.unseal(check)) != nil else {
            throw ClusterBirth.Refused.wrongMasterKey
        }
        let last = values[ManagerKeys.lastWriter].map { String(decoding: $0, as: UTF8.self) } ?? "0"
        guard let writer = UInt64(last), writer < .max - writerStep else {
            throw Refused(description: "the backup's counter of writers is damaged")
        }
        values[ManagerKeys.lastWriter] = Array("\(writer + writerStep)".utf8)
        // Storage nodes may work by a newer ring than that of the backup.
        values[ManagerKeys.ringUnconfirmed] = Array("restored".utf8)
        return values.sorted { $0.key < $1.key }.map { StoreEntry(key: $0.key, value: $0.value, revision: 0) }
    }
}
