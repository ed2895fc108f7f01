import Checksums
import Dispatch
import Wire

/// The last state that a process saw, so that it starts without a manager.
///
/// Eight bytes of magic and format version, SHA-256 of the rest, and a packed `FetchStateReply` with all entries.
struct SnapshotFile: Sendable {
    static let magic = Array("MTSTATE1".utf8)
    let path: String

    enum Damage: Error { case notASnapshot, checksum }

    /// nil when there is no file; throws when it is damaged or foreign.
    func load() throws -> FetchStateReply? {
        guard let bytes = try DurableFile.read(path) else { return nil }
        guard bytes.count >= 40, Array(bytes[..<8]) == Self.magic else { throw Damage.notASnapshot }
        let body = Array(bytes[40...])
        guard HashAlgorithm.sha256.hash(body) == Array(bytes[8..<40]) else { throw Damage.checksum }
        return try FetchStateReply(decoding: body)
    }

    func store(_ reply: FetchStateReply) throws {
        let body = reply.encoded()
        try DurableFile.write(Self.magic + HashAlgorithm.sha256.hash(body) + body, to: path)
    }
}
