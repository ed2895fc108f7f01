import Model

extension IndexApplication {
    mutating func apply(_ name: RegisterName, _ new: IndexedRegister) throws {
        if isLeft(name, new.position) { return meet(new.place, .garbage) }
        let old = try register(name)
        if let old, old.position == new.position { return }
        if let old, isOutdone(new, by: old) { return meet(new.place, .garbage) }
        if old == nil, try isPurged(name, new.value.tag, at: new.position) { return meet(new.place, .garbage) }
        meet(new.place, .content)
        if let old { retire(old.place) }
        if let old { totals.retire(record: old.recordSize) }
        totals.activate(record: new.recordSize)
        registers[name] = .some(new)
        batch.put(IndexKeys.register(name.indexKey), new.encoded())
        if let old, old.value.tag == new.value.tag { return }
        try replace(name, old?.value, new)
        applied.registers.append(.init(name: name, old: old?.value.tag, new: new.value.tag))
    }

    /// The higher tag counts; of two copies of one state the later one.
    private func isOutdone(_ new: IndexedRegister, by old: IndexedRegister) -> Bool {
        (new.value.tag, new.position) < (old.value.tag, old.position)
    }

    mutating func register(_ name: RegisterName) throws -> IndexedRegister? {
        if let known = registers[name] { return known }
        let found = try index.register(name)
        registers[name] = .some(found)
        return found
    }

    /// What follows from a new state.
    private mutating func replace(_ name: RegisterName, _ old: RegisterValue?, _ new: IndexedRegister) throws {
        if old?.isTombstone == true { totals.tombstones &-= 1 }
        if new.value.isTombstone { totals.tombstones &+= 1 }
        try count(name, new.value, old)
        try settleBlobs(of: name, new.value, old: old?.blobs ?? [])
        if let old,
            let release = BlobRelease(
                of: name, old: old, new: new.value, position: new.position, milliseconds: milliseconds)
        {
            counts.releases += 1
            batch.put([IndexKeys.releases] + release.id, release.encoded())
        }
    }

    mutating func count(_ name: RegisterName, _ new: RegisterValue, _ old: RegisterValue?) throws {
        guard name.keyspace != .uploads else { return }
        let (before, after) = (old.flatMap { $0.counts ? $0 : nil }, new.counts ? new : nil)
        guard before != nil || after != nil else { return }
        var totals = try buckets[name.bucket] ?? index.bucketTotals(name.bucket)
        // Parts of an upload take room, but they are no objects.
        let isObject: UInt64 = name.keyspace == .parts ? 0 : 1
        if let before {
            totals.objects &-= isObject
            totals.bytes &-= before.contentSize
        }
        if let after {
            totals.objects &+= isObject
            totals.bytes &+= after.contentSize
        }
        buckets[name.bucket] = totals
    }
}
