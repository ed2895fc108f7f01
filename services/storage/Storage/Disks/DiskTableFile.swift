import Checksums
import Foundation
import ObjectLog

/// Keeps a ``DiskTable`` in one file: JSON, then a line with its checksum. A flipped digit would give slots to a disk that
/// has nothing of them, so a file that does not match is refused.
struct DiskTableFile: Sendable {
    enum Failure: Error, CustomStringConvertible {
        /// The old table is in force.
        case notStored(String)
        /// The new table may be in force or the old one: only a further store tells.
        case indeterminate(String)

        var description: String {
            switch self {
            case .notStored(let reason), .indeterminate(let reason): "disks.json cannot be written: \(reason)"
            }
        }
    }

    static let name = "disks.json"
    private static let sizeMax = 4 << 20
    let directory: any LogDirectory

    /// nil: there is none yet.
    func load() throws -> DiskTable? {
        guard try directory.names().contains(Self.name) else { return nil }
        let file = try directory.open(Self.name)
        let bytes = try file.read(count: min(Self.sizeMax, try file.size()), at: 0)
        let path = directory.path + "/" + Self.name
        func damaged(_ what: String) -> StorageError { .unavailable("\(path) is damaged (\(what)); see operations.md") }
        let lines = bytes.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
        struct Version: Decodable { var version: Int }
        guard let json = lines.first.map({ Data($0) }),
            let version = try? JSONDecoder().decode(Version.self, from: json).version
        else { throw damaged("no table") }
        guard version <= DiskTable.formatVersion else {
            throw StorageError.unavailable("\(path) was written by a newer version (\(version))")
        }
        guard lines.count >= 2, lines[1].elementsEqual(Self.checksumLine(Array(json))) else {
            throw damaged("checksum")
        }
        guard let table = try? JSONDecoder().decode(DiskTable.self, from: json) else { throw damaged("unknown keys") }
        if let fault = table.fault { throw damaged(fault) }
        return table
    }

    /// Durable when it returns.
    func store(_ table: DiskTable) throws(Failure) {
        precondition(table.fault == nil, "a table that is refused when it is read")
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        let json: [UInt8]
        do { json = Array(try encoder.encode(table)) } catch { throw .notStored("\(error)") }
        let new = Self.name + ".new"
        do throws(FileError) {
            let file = try directory.create(new)
            try file.write(json + [UInt8(ascii: "\n")] + Self.checksumLine(json) + [UInt8(ascii: "\n")])
            try file.sync()
        } catch { throw .notStored(error.description) }
        do throws(FileError) {
            try directory.rename(new, to: Self.name)
            try directory.sync()
        } catch { throw .indeterminate(error.description) }
    }

    private static func checksumLine(_ json: [UInt8]) -> [UInt8] {
        Array(("crc32c " + String(crc32c(json), radix: 16)).utf8)
    }
}
