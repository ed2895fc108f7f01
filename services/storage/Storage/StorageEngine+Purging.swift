import MetadataIndex
import Model
import Register
import Ring

/// Tombstones: which there are, and that some go.
extension StorageEngine {
    /// Tombstones of one request: bounded, since each is looked up under the lock.
    public static let purgedMax = 1000

    /// Tombstones of some partitions behind a cursor, in the order of names, and the next cursor; nil: that was all. Looks at
    /// a bounded number of keys, so a page may be empty and not the last. `age`: those that this node has had for so long.
    /// Abstains when a disk is missing or cannot be trusted.
    func tombstones(
        ofPartitions partitions: Set<Int>, ring: RingTable, after cursor: [UInt8]?, limit: Int, ageMilliseconds: Int64
    ) throws -> (entries: [PurgedRegister], next: [UInt8]?) {
        let newest = DiskReplica.wallMilliseconds - max(0, ageMilliseconds)
        return try page(after: cursor, limit: limit) { disk, slots, visit in
            guard disk.canBeTrusted(slots) else { throw StorageError.abstained("a disk of this node has lost records") }
            guard disk.index.totals.tombstones > 0 else { return }
            try disk.index.registers(after: cursor).visitTombstones { name, tag, milliseconds in
                let key = name.indexKey
                let isWanted =
                    milliseconds.map { $0 <= newest } ?? false
                    && partitions.contains(ring.partition(ofBytes: key)) && slots.counts(key)
                return visit(key, isWanted ? PurgedRegister(name: name, tag: tag) : nil)
            }
        }
    }

    /// Drops those that are still what the disks of their keys durably have. Completes with how many.
    public func purge(_ tombstones: [PurgedRegister], _ completion: @escaping Completion<Int>) {
        guard !tombstones.isEmpty else { return completion(.success(0)) }
        guard tombstones.count <= Self.purgedMax else {
            return completion(.failure(.malformed("more than \(Self.purgedMax) tombstones at once")))
        }
        let routing = set.routing
        let parts = Dictionary(grouping: tombstones) { routing.disk(ofSlot: slot(of: $0.name)).number }
        let sum = SummedAnswers(count: parts.count, completion)
        for (number, items) in parts {
            switch routing.disk(number)?.replica {
            case .success(let disk)?: disk.purge(items, sum.add)
            case .failure(let error)?: sum.add(.failure(error))
            case nil: sum.add(.failure(.unavailable("a disk is gone")))
            }
        }
    }

    /// The highest of all disks.
    func floor() throws -> PurgeFloor {
        try withAllDisks { disks in disks.reduce(PurgeFloor.zero) { $0.joined(with: $1.replica.floor) } }
    }

    /// Makes the floor of every disk at least this one, durably. Blocks.
    func raiseFloor(to floor: PurgeFloor) throws {
        guard floor.ballot.counter <= Ballot.counterMax else { throw StorageError.malformed("no such ballot counter") }
        try withAllDisks { disks in
            for disk in disks { try disk.replica.raiseFloor(to: floor) }
        }
    }
}
