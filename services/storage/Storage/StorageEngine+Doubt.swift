import Model

/// Lost memory, of all disks: see ``DiskDoubt``. May block.
extension StorageEngine {
    /// What the node has forgotten, and the highest counter that it has promised up to or knows to be in use.
    func doubts() throws -> (doubts: [DiskDoubt], ceiling: UInt64) {
        try withAllDisks { disks in
            let ceiling = disks.map { $0.replica.promisedMax }.max() ?? 0
            return (disks.flatMap(\.replica.doubts), max(ceiling, noted.value))
        }
    }

    /// Remembers that a counter will be in use, before anybody uses it.
    func note(_ counter: UInt64) throws {
        guard counter <= Ballot.counterMax else { throw StorageError.malformed("no such ballot counter") }
        try noted.raise(to: counter)
    }

    /// On every disk each key counts as promised up to the counter. An error when that is not known of all of them.
    func fence(upTo counter: UInt64, bounding doubts: [DiskDoubt]) throws {
        try withAllDisks { disks in
            for disk in disks { try disk.replica.fence(upTo: counter, bounding: doubts) }
        }
    }

    /// False: the disk has lost something else meanwhile, or is gone.
    func trust(_ doubt: DiskDoubt) throws -> Bool {
        guard let disk = disks.first(where: { $0.id == doubt.disk }) else { return false }
        return try disk.trust(doubt)
    }
}

extension DiskReplica {
    /// The disk may have promised up to here.
    fileprivate var promisedMax: UInt64 { state.withLock { $0.replica.promisedMax } }
}
