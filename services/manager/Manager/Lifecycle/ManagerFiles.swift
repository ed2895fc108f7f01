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

    /// The pair that the store has, the same for all managers; in a new cluster that of the file, or a new one.
    static func keyPair(directory: String, _ state: ManagerState, _ masterKey: MasterKey) throws -> CurveKeyPair {
        guard let sealed = state.entries[ManagerKeys.adminKeyPair]?.value else {
            return try CurveKeyPair.loadOrCreate(path: directory + "/" + keyName)
        }
        let bytes = try masterKey.unseal(sealed)
        guard let pair = CurveKeyPair(publicKey: Array(bytes.prefix(32)), secretKey: Array(bytes.dropFirst(32))) else {
            throw VerbError(.internalError, "the administrator's key pair in the store is damaged")
        }
        return pair
    }

    /// Writes the file when it would say something new. The manager that writes it comes first in it.
    static func write(
        _ keys: CurveKeyPair, own: PeerEndpoint, _ view: ClusterView, encrypted: Bool, directory: String
    ) throws {
        let others = view.managers.filter { $0 != own.name }.compactMap { view.members[$0].map { PeerEndpoint($0) } }
        let credentials = AdminCredentials(
            name: memberName, publicKey: keys.publicKey, secretKey: keys.secretKey, manager: own, others: others,
            encrypted: encrypted)
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
