import ClusterState
import Foundation
import MessageBus
import Model

/// The key that seals secrets: from the configuration, or a file beside the store.
enum MasterKeyFile {
    static let name = "master-key"

    struct Refused: Error, CustomStringConvertible {
        let description: String
    }

    /// - Parameter isNew: The store is empty: a key may be made. Never otherwise, for it would not open what is sealed.
    static func load(configured: String?, directory: String, isNew: Bool) throws -> MasterKey {
        if let configured { return try parse(configured, origin: "manager.master_key") }
        let path = directory + "/" + name
        if let content = try DurableFile.read(path) {
            return try parse(String(decoding: content, as: UTF8.self), origin: path)
        }
        guard isNew else {
            throw Refused(description: "\(path) is missing, but the cluster's secrets are sealed with it: restore it")
        }
        let key = MasterKey.random()
        try DurableFile.write(Array((hexDigits(of: key.bytes) + "\n").utf8), to: path)
        return key
    }

    private static func parse(_ text: String, origin: String) throws -> MasterKey {
        let digits = text.trimmingCharacters(in: .whitespacesAndNewlines)
        guard let key = bytes(ofHex: digits).flatMap({ MasterKey(bytes: $0) }) else {
            throw Refused(description: "\(origin): 64 hex digits are needed")
        }
        return key
    }
}

/// `admin.toml` and the administrator's key pair.
enum AdminFile {
    static let memberName: NodeName = "admin"
    static let keyName = "admin.key"

    static func keyPair(directory: String) throws -> CurveKeyPair {
        try CurveKeyPair.loadOrCreate(path: directory + "/" + keyName)
    }

    /// Writes the file when it would say something new.
    static func write(_ credentials: AdminCredentials, directory: String) throws {
        let path = directory + "/" + AdminCredentials.fileName
        if let known = try? AdminCredentials(path: path), known == credentials { return }
        try credentials.write(to: path)
    }
}

/// The file with the reusable join token, for processes that run on the manager's host or get it from there.
enum JoinTokenFile {
    static let name = "join-token"

    /// Whether the file holds a token that the state knows and that is still good.
    static func isGood(_ path: String, _ state: ManagerState, now: Int64) -> Bool {
        guard let content = try? DurableFile.read(path),
            let token = JoinToken(String(decoding: content, as: UTF8.self)),
            let entry = state.entries[ManagerKeys.token(token.id)],
            let record = try? TokenRecord(decoding: entry.value)
        else { return false }
        return record.expiresMilliseconds > now
    }

    /// Makes a token when there is no good one. The state knows it before the file names it.
    static func ensure(_ cluster: ManagedCluster, directory: String, lifetime: Duration, _ context: VerbContext)
        async throws
    {
        let path = directory + "/" + name
        guard !isGood(path, cluster.state, now: context.now) else { return }
        let hours = max(1, Int(lifetime.components.seconds / 3_600))
        let token = try await cluster.change { _, edit in
            var record = TokenRecord(id: "", sealedSecret: [], expiresMilliseconds: 0, oneTime: false)
            let token = TokenVerbs.make(&record, hours: hours, context)
            edit.put(ManagerKeys.token(token.id), bytes: record.encoded())
            return token
        }
        try DurableFile.write(Array((token.description + "\n").utf8), to: path)
    }
}
