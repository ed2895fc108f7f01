import Foundation
import MetadataIndex
import Model

/// What operators do with the disks of a node. Each returns when its outcome is durable; slots move afterwards, in the
/// background. May block.
extension StorageEngine {
    /// An empty directory becomes a disk of the node. `weight`: its share of the slots; nil: the GiB that are free there.
    func addDisk(_ path: String, weight: Int?) throws {
        guard path.hasPrefix("/"), (path as NSString).standardizingPath == path else {
            throw StorageError.malformed("the path of a disk is absolute and has no links to parents: \(path)")
        }
        try opener.refuseUsed(path)
        var number = 0
        try set.change { number = try $0.add(path, weight: weight ?? opener.capacity(path)) }
        guard let disk = set.routing.disk(number) else { throw StorageError.notFound("\(path) is gone again") }
        do { try upkeep.reopen(disk, rebuildingIndex: true) } catch {
            try set.change { $0.remove(number) }
            throw error
        }
        register(disk, metrics)
        logger.notice("a disk was added", metadata: ["disk": "\(path)"])
        mover.wake()
    }

    /// Another share of the slots.
    func setWeight(_ weight: Int, ofDisk path: String) throws {
        try set.change { try $0.setWeight(weight, of: path) }
        mover.wake()
    }

    /// Everything goes to the other disks, then the disk is retired.
    func drainDisk(_ path: String) throws {
        try set.change { try $0.drain(path) }
        logger.notice("a disk is being drained", metadata: ["disk": "\(path)"])
        mover.wake()
    }

    /// What has not gone yet stays, and what has gone comes back.
    func cancelDrain(_ path: String) throws {
        try set.change { try $0.cancelDrain(path) }
        mover.wake()
    }

    /// An empty directory takes the place of a disk that was lost. The disk does not vote for its slots until the repair
    /// process has taught it what the other replicas have.
    func replaceDisk(_ path: String) throws {
        let (entry, disk) = try failedDisk(path)
        guard options.isSimulated || FileManager.default.fileExists(atPath: path) else {
            throw StorageError.notFound("there is no directory \(path)")
        }
        if entry.standing != .replacing, try opener.hasLog(path) {
            throw StorageError.malformed("\(path) is not empty: it has a log. Only an empty directory takes its place")
        }
        try set.change { $0.setStanding(.replacing, of: entry.number) }
        try upkeep.reopen(disk, rebuildingIndex: true)
        logger.notice("an empty disk took the place of a lost one", metadata: ["disk": "\(path)"])
    }

    /// A disk that will not come back: its slots go to the others, which do not vote for them until the repair process
    /// has taught them what the other replicas have.
    func removeLostDisk(_ path: String) throws {
        let (entry, _) = try failedDisk(path)
        try set.inTransition {
            let table = set.table
            let heirs = table.disks.filter { other in
                guard other.standing == .serving, other.number != entry.number,
                    case .success(let replica)? = set.routing.disk(other.number)?.replica
                else { return false }
                return replica.failure == nil
            }
            guard !heirs.isEmpty else { throw StorageError.unavailable("no other disk takes writes") }
            let placed = SlotPlacement.slots(
                from: table.slots, shares: heirs.map { .init(disk: $0.number, weight: $0.weight) })
            let lost = table.slots(of: entry.number)
            for heir in heirs {
                let slots = SlotSet(lost.filter { placed[$0] == heir.number })
                if !slots.isEmpty { try inherit(slots, heir.number) }
            }
            try set.change { table in
                for slot in lost { table.assign([slot], to: placed[slot]) }
                table.remove(entry.number)
            }
            set.applyOwners(to: set.disks)
        }
        logger.critical(
            "a lost disk was given up: the others do not vote for its slots until they are repaired",
            metadata: ["disk": "\(path)"])
        mover.wake()
    }

    private func inherit(_ slots: SlotSet, _ number: Int) throws {
        guard case .success(let replica)? = set.routing.disk(number)?.replica else {
            throw StorageError.unavailable("a disk went out of service")
        }
        // What it may have of them, from an earlier time, is older than what was lost.
        try replica.leave(slots)
        try replica.distrust(slots)
    }

    /// What the disk has is taken for everything: for a node whose data nobody else has.
    func trustDisk(_ path: String) throws {
        guard let entry = set.table.disk(at: path), let disk = set.routing.disk(entry.number) else {
            throw StorageError.notFound("\(path) is no disk of this node")
        }
        let replica = try disk.replica.get()
        if !replica.doubts.isEmpty {
            // Whoever wrote what was lost cannot have come so far.
            let highest = max(replica.index.ceiling, noted.value)
            try replica.fence(upTo: min(highest + (1 << 40), Ballot.counterMax))
        }
        try replica.trust(SlotSet(set.table.slots(of: entry.number)))
        logger.critical("a disk is trusted although it has lost records", metadata: ["disk": "\(path)"])
    }

    private func failedDisk(_ path: String) throws -> (DiskTable.Disk, DiskSlot) {
        guard let entry = set.table.disk(at: path), let disk = set.routing.disk(entry.number) else {
            throw StorageError.notFound("\(path) is no disk of this node")
        }
        if case .success = disk.replica {
            throw StorageError.malformed("\(path) is in service; `disk drain` takes it out without loss")
        }
        guard disk.isFailed else { throw StorageError.unavailable("\(path) is \(state(of: disk).rawValue)") }
        return (entry, disk)
    }
}
