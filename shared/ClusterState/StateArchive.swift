import Checksums
import Foundation
import Model

/// A backup of the cluster's state: a file of lines, each a JSON object.
///
/// The first line says what it is and has the SHA-256 of all that follows; then comes one line for each entry, values in
/// base64. Secrets are in it as in the store: sealed with the master key, which is not.
public struct StateArchive: Sendable, Equatable {
    public struct Entry: Codable, Sendable, Equatable {
        public var key: String
        public var value: Data

        public init(key: String, value: Data) {
            self.key = key
            self.value = value
        }
    }

    /// The first line.
    struct Head: Codable {
        var format: String
        var formatVersion: Int
        var clusterID: String
        var revision: UInt64
        var takenAt: String
        var entries: Int
        var sha256: String

        enum CodingKeys: String, CodingKey {
            case format, revision, entries, sha256
            case formatVersion = "format_version"
            case clusterID = "cluster_id"
            case takenAt = "taken_at"
        }
    }

    public struct Damage: Error, Sendable, Equatable, CustomStringConvertible {
        public let description: String
        public init(_ description: String) { self.description = description }
    }

    public static let formatName = "martlet-state"
    public static let formatVersion = 1

    public var clusterID: String
    /// Revision of the store at which all entries were read.
    public var revision: UInt64
    /// For people.
    public var takenAt: String
    public var entries: [Entry]

    public init(clusterID: String, revision: UInt64, takenAt: String, entries: [Entry]) {
        self.clusterID = clusterID
        self.revision = revision
        self.takenAt = takenAt
        self.entries = entries
    }

    public func encoded() throws -> [UInt8] {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        var body: [UInt8] = []
        for entry in entries { body += try Array(encoder.encode(entry)) + [UInt8(ascii: "\n")] }
        let head = Head(
            format: Self.formatName, formatVersion: Self.formatVersion, clusterID: clusterID, revision: revision,
            takenAt: takenAt, entries: entries.count, sha256: hexDigits(of: HashAlgorithm.sha256.hash(body)))
        return try Array(encoder.encode(head)) + [UInt8(ascii: "\n")] + body
    }

    /// Refuses a file that is not whole, or not of this kind.
    public init(decoding bytes: [UInt8]) throws(Damage) {
        guard let end = bytes.firstIndex(of: UInt8(ascii: "\n")),
            let head = try? JSONDecoder().decode(Head.self, from: Data(bytes[..<end])), head.format == Self.formatName
        else { throw Damage("this is no backup of a cluster's state") }
        guard head.formatVersion == Self.formatVersion else {
            throw Damage("the backup has format \(head.formatVersion), this program knows \(Self.formatVersion)")
        }
        let body = Array(bytes[(end + 1)...])
        guard hexDigits(of: HashAlgorithm.sha256.hash(body)) == head.sha256 else {
            throw Damage("the backup is damaged or not whole: its checksum differs")
        }
        let lines = body.split(separator: UInt8(ascii: "\n"))
        let entries = lines.compactMap { try? JSONDecoder().decode(Entry.self, from: Data($0)) }
        guard entries.count == head.entries, lines.count == entries.count else {
            throw Damage("the backup has \(entries.count) entries and should have \(head.entries)")
        }
        self.init(clusterID: head.clusterID, revision: head.revision, takenAt: head.takenAt, entries: entries)
    }
}
