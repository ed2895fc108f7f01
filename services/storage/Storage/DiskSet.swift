import Checksums
import Foundation

/// Which disk of a node holds what, for good: recorded at the first start in the node's data directory.
///
/// A key belongs to one of 256 slots, by a hash of its name; each slot is assigned to a disk. So a disk can later be
/// added or emptied by moving slots, one after the other.
struct DiskSet: Codable, Equatable {
    static let slotCount = 256
    private static let formatVersion = 1

    var version = formatVersion
    /// Paths, in the order of first use.
    var disks: [String]
    /// Index into `disks` for each slot.
    var slots: [Int]
    /// Disks that have been in service. One of them without a log has been wiped or replaced: it must not answer as if
    /// it had never promised or accepted anything.
    private var used: [String]?

    init(disks: [String]) {
        self.disks = disks
        slots = (0..<Self.slotCount).map { $0 % disks.count }
    }

    func disk(ofSlotKey key: [UInt8]) -> Int {
        disks.count == 1 ? 0 : slots[Int(crc32c(key)) % Self.slotCount]
    }

    /// The set recorded in a file, which must be the configured one; makes the file at the first start.
    static func load(path: String, configured: [String]) throws -> DiskSet {
        guard !configured.isEmpty, Set(configured).count == configured.count else {
            throw StorageError.unavailable("storage.disks must name different directories")
        }
        guard let data = FileManager.default.contents(atPath: path) else {
            let set = DiskSet(disks: configured)
            try set.store(path)
            return set
        }
        let set = try JSONDecoder().decode(DiskSet.self, from: data)
        guard set.version <= formatVersion else {
            throw StorageError.unavailable("\(path) was written by a newer version")
        }
        guard set.slots.count == slotCount, set.slots.allSatisfy(set.disks.indices.contains) else {
            throw StorageError.unavailable("\(path) is damaged")
        }
        guard Set(configured) == Set(set.disks) else {
            throw StorageError.unavailable(
                "this node stores on \(set.disks.joined(separator: ", ")), but storage.disks is "
                    + configured.joined(separator: ", ") + "; adding or removing disks is not supported yet")
        }
        return set
    }

    func wasUsed(_ disk: String) -> Bool { used?.contains(disk) ?? false }

    /// To be recorded before a disk answers anybody.
    mutating func noteUse(of disks: [String], path: String) throws {
        let all = Set(used ?? []).union(disks).sorted()
        guard all != used else { return }
        used = all
        try store(path)
    }

    private func store(_ path: String) throws {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys]
        try encoder.encode(self).write(to: URL(fileURLWithPath: path), options: .atomic)
    }
}
