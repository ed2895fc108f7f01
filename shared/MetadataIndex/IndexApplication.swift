import Model

/// Turns changes into one batch of RocksDB, with the counts that follow from them.
struct IndexApplication {
    let index: MetadataIndex
    let batch = DatabaseBatch()
    private(set) var totals: StorageTotals
    private(set) var ceiling: UInt64?
    private(set) var doubt: UInt64?
    private(set) var hintDelta: Int64 = 0
    private(set) var applied = AppliedChanges()

    // What earlier changes of this batch have made of the entries.
    private var registers: [RegisterName: IndexedRegister] = [:]
    private var blobs: [BlobKey: BlobLocation?] = [:]
    private var hints: [UInt64: Bool] = [:]
    private var buckets: [BucketID: BucketTotals] = [:]

    init(index: MetadataIndex, totals: StorageTotals) {
        self.index = index
        self.totals = totals
    }

    mutating func apply(_ change: IndexChange) throws {
        switch change {
        case .register(let name, let register): try apply(name, register)
        case .blob(let key, let location): try apply(key, location)
        case .hint(let id, let hint):
            if try !hasHint(id) { hintDelta += 1 }
            hints[id] = true
            batch.put(IndexKeys.hint(id), hint)
        case .forgetHints(let ids):
            for id in ids where try hasHint(id) {
                hintDelta -= 1
                hints[id] = false
                batch.delete(IndexKeys.hint(id))
            }
        case .ceiling(let counter):
            ceiling = max(ceiling ?? index.ceiling, counter)
            batch.putNumber(IndexKeys.ceiling, ceiling!)
        case .doubt(let position):
            doubt = max(doubt ?? index.doubt, position)
            batch.putNumber(IndexKeys.doubt, doubt!)
        }
    }

    mutating func finish(checkpoint: UInt64) throws {
        batch.putNumber(IndexKeys.checkpoint, checkpoint)
        batch.put(IndexKeys.totals, totals.encoded())
        for (bucket, totals) in buckets { batch.put(IndexKeys.bucketTotals(bucket), totals.encoded()) }
    }

    private mutating func apply(_ name: RegisterName, _ new: IndexedRegister) throws {
        let old = try registers[name] ?? index.register(name)
        totals.add(record: new.recordSize)
        // Tags grow along the log; an older one can only be a record that was written twice.
        if let old, old.value.tag >= new.value.tag {
            totals.retire(record: new.recordSize)
            return
        }
        if let old { try retire(old, replacement: new.value) }
        if new.value.isTombstone { totals.tombstones &+= 1 }
        try count(name, new.value, old?.value)
        registers[name] = new
        applied.registers.append(.init(name: name, old: old?.value.tag, new: new.value.tag))
        batch.put(IndexKeys.register(name.indexKey), new.encoded())
    }

    private mutating func retire(_ old: IndexedRegister, replacement: RegisterValue) throws {
        totals.retire(record: old.recordSize)
        if old.value.isTombstone { totals.tombstones &-= 1 }
        // A blob belongs to one register: nobody else refers to it.
        for blob in old.value.blobs where !replacement.blobs.contains(blob) {
            let key = BlobKey(blob)
            guard let location = try location(key) else { continue }
            totals.retire(record: location.recordSize)
            blobs[key] = .some(nil)
            batch.delete(IndexKeys.blob(key))
        }
    }

    private mutating func count(_ name: RegisterName, _ new: RegisterValue, _ old: RegisterValue?) throws {
        let wasLive = old?.isLive ?? false
        guard name.keyspace == .objects, wasLive || new.isLive else { return }
        var totals = try buckets[name.bucket] ?? index.bucketTotals(name.bucket)
        if wasLive {
            totals.objects &-= 1
            totals.bytes &-= old!.contentSize
        }
        if new.isLive {
            totals.objects &+= 1
            totals.bytes &+= new.contentSize
        }
        buckets[name.bucket] = totals
    }

    private mutating func apply(_ key: BlobKey, _ new: BlobLocation) throws {
        let old = try location(key)
        totals.add(record: new.recordSize)
        if let old {
            totals.retire(record: old.recordSize)
        } else if let index = key.index {
            applied.chunks.append(ChunkName(blob: key.blob, index: index))
        }
        blobs[key] = .some(new)
        batch.put(IndexKeys.blob(key), new.encoded())
    }

    private func location(_ key: BlobKey) throws -> BlobLocation? {
        if let changed = blobs[key] { return changed }
        return try index.blob(key)
    }

    private func hasHint(_ id: UInt64) throws -> Bool {
        if let known = hints[id] { return known }
        return try index.database.get(IndexKeys.hint(id)) { _ in true } ?? false
    }
}

extension DatabaseBatch {
    func putNumber(_ key: [UInt8], _ number: UInt64) {
        var bytes: [UInt8] = []
        bytes.appendNumber(number)
        put(key, bytes)
    }
}
