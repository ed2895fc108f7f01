import Model

/// A blob stands in the log before the register that refers to it, but copies of either may come in any order. So each
/// blob names its register and the tag for which it was brought, and a blob is
/// - in force when the register refers to it, or when the register's tag is lower: then its register is still to come
///   (it is *unclaimed*; a crash between the two leaves one behind, until the key is written again);
/// - garbage when the register has a higher tag and does not refer to it.
extension IndexApplication {
    /// The unclaimed blobs of a register.
    struct Unclaimed {
        /// In the database.
        var stored: Set<BlobID>
        var now: Set<BlobID>
    }

    mutating func apply(_ key: BlobKey, _ location: BlobLocation, _ owner: BlobOwner?) throws {
        var new = location
        if key.index == nil { new.tag = owner?.tag }
        if isLeft(key, owner, new.position) { return meet(new.place, .garbage) }
        let old: BlobLocation?
        switch try entry(key) {
        case .dropped(var marker)?:
            meet(new.place, .garbage)
            guard marker.watermark < new.position else { return }
            marker.watermark = new.position
            return put(key, .dropped(marker))
        case .stored(let location)?: old = location
        case nil: old = nil
        }
        if let old, old.position == new.position { return }
        let state = key.index == nil ? try owner.flatMap { try register($0.name)?.value } : nil
        let isReferred = state?.blobs.contains(key.blob) ?? false
        if let owner, let state, !isReferred, owner.tag < state.tag { return meet(new.place, .garbage) }
        if let owner, state == nil, try isPurged(owner.name, owner.tag, at: new.position) {
            return meet(new.place, .garbage)
        }
        if let old, !new.isBetter(than: old) { return meet(new.place, .garbage) }
        if let old { retire(old) }
        meet(new.place, .content)
        totals.activate(record: new.recordSize)
        put(key, .stored(new))
        if new.isDamaged { listDamage(key, owner?.name) } else if let old, old.isDamaged { unlistDamage(key) }
        guard old == nil else { return }
        if let index = key.index {
            applied.chunks.append(ChunkName(blob: key.blob, index: index))
        } else if let owner, !isReferred {
            try changeUnclaimed(of: owner.name) { $0.insert(key.blob) }
        }
    }

    /// A register has a new state: blobs that it no longer needs go.
    mutating func settleBlobs(of name: RegisterName, _ new: RegisterValue, old: [BlobID]) throws {
        var candidates = Set(old)
        if counts.unclaimed > 0 { candidates.formUnion(try unclaimedBlobs(of: name).now) }
        var unclaimed: Set<BlobID> = []
        for blob in candidates where !new.blobs.contains(blob) {
            guard case .stored(let location)? = try entry(BlobKey(blob)) else { continue }
            if let tag = location.tag, new.tag < tag {
                unclaimed.insert(blob)
            } else {
                retire(location)
                delete(BlobKey(blob))
                if location.isDamaged { unlistDamage(BlobKey(blob)) }
            }
        }
        guard counts.unclaimed > 0 || !unclaimed.isEmpty else { return }
        try changeUnclaimed(of: name) { $0 = unclaimed }
    }

    mutating func markDamaged(_ key: BlobKey, _ owner: RegisterName?) throws {
        guard case .stored(var location)? = try entry(key) else { return }
        location.isDamaged = true
        put(key, .stored(location))
        listDamage(key, owner)
    }

    /// `watermark`: no copy of the chunks is known behind it; `position`: of the record that says so.
    mutating func drop(_ blob: BlobID, _ indexes: [UInt32], watermark: UInt64, _ position: UInt64) throws {
        for index in indexes {
            let name = ChunkName(blob: blob, index: index)
            let key = BlobKey(name)
            var marker = DroppedMarker(position: position, watermark: watermark)
            switch try entry(key) {
            case .stored(let location)?:
                retire(location)
                if location.isDamaged { unlistDamage(key) }
                marker.watermark = max(watermark, location.position)
                applied.droppedChunks.append(name)
            case .dropped(let known)?:
                marker.position = max(position, known.position)
                marker.watermark = max(watermark, known.watermark)
            case nil: break
            }
            put(key, .dropped(marker))
        }
    }

    // MARK: - Slots that were left

    /// Content of a slot or partition that was left.
    mutating func forget(_ key: BlobKey) throws {
        guard case .stored(let location)? = try entry(key) else { return }
        if let index = key.index { applied.droppedChunks.append(ChunkName(blob: key.blob, index: index)) }
        retire(location)
        delete(key)
        if location.isDamaged { unlistDamage(key) }
    }

    mutating func forgetUnclaimed(of name: RegisterName) throws {
        guard counts.unclaimed > 0 else { return }
        for blob in try unclaimedBlobs(of: name).now { try forget(BlobKey(blob)) }
        try changeUnclaimed(of: name) { $0 = [] }
    }

    // MARK: - Entries

    private func entry(_ key: BlobKey) throws -> BlobEntry? {
        if let known = blobs[key] { return known }
        return try index.entry(key)
    }

    private mutating func put(_ key: BlobKey, _ entry: BlobEntry) {
        blobs[key] = .some(entry)
        batch.put(IndexKeys.blob(key), entry.encoded())
    }

    private mutating func delete(_ key: BlobKey) {
        blobs[key] = .some(nil)
        batch.delete(IndexKeys.blob(key))
    }

    private mutating func retire(_ location: BlobLocation) {
        retire(location.place)
        totals.retire(record: location.recordSize)
    }

    // MARK: - Damage

    /// Beside the mark in the entry, so that damaged content is found without looking at everything.
    private func listDamage(_ key: BlobKey, _ owner: RegisterName?) {
        batch.put(IndexKeys.damaged(key), owner?.indexKey ?? [])
    }

    private func unlistDamage(_ key: BlobKey) { batch.delete(IndexKeys.damaged(key)) }

    // MARK: - Unclaimed blobs

    private mutating func changeUnclaimed(of name: RegisterName, _ body: (inout Set<BlobID>) -> Void) throws {
        var blobs = try unclaimedBlobs(of: name)
        let before = blobs.now.count
        body(&blobs.now)
        counts.unclaimed += Int64(blobs.now.count - before)
        unclaimed[name] = blobs
    }

    private func unclaimedBlobs(of name: RegisterName) throws -> Unclaimed {
        if let known = unclaimed[name] { return known }
        let stored = try index.unclaimedBlobs(of: name)
        return Unclaimed(stored: stored, now: stored)
    }

    func writeUnclaimed() {
        for (name, blobs) in unclaimed {
            let prefix = IndexKeys.unclaimed(of: name.indexKey)
            for blob in blobs.stored.subtracting(blobs.now) { batch.delete(prefix + blob.bytes) }
            for blob in blobs.now.subtracting(blobs.stored) { batch.put(prefix + blob.bytes, []) }
        }
    }
}
