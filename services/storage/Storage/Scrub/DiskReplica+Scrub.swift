import MetadataIndex
import Model
import ObjectLog

extension DiskReplica: ScrubSubject {
    /// Bytes between two looks at the pace.
    private static var scrubStep: Int { 256 << 10 }

    var sealedSegments: [(number: UInt32, bytes: Int)] {
        log.segments.filter(\.isSealed).map { ($0.number, $0.capacity) }
    }

    /// Many requests wait for their sync.
    var isBusy: Bool { state.withLock { $0.queue.count >= Self.backlogMax } }
    private static var backlogMax: Int { 256 }

    private func has(_ segment: UInt32) -> Bool { log.segments.contains { $0.number == segment } }

    func scrub(_ segment: UInt32, proceed: (Int) -> Bool) throws -> ScrubFindings? {
        do {
            return try noting { try read(segment, proceed) }
        } catch let error as ObjectLogError {
            // Compaction may have removed it; else the file is gone, or not what it was.
            guard has(segment) else { return ScrubFindings() }
            guard error.meansDamage else { throw error }
            return try noting { try checkEntries(in: segment) }
        }
    }

    private func read(_ segment: UInt32, _ proceed: (Int) -> Bool) throws -> ScrubFindings? {
        let reader = try log.reader(of: segment)
        var check = SegmentCheck(index)
        var step = 0
        while let item = try reader.next() {
            step += try check.take(item)
            guard step >= Self.scrubStep else { continue }
            guard proceed(step) else { return nil }
            step = 0
        }
        guard proceed(step) else { return nil }
        let metAll = check.metAll(of: segment)
        if metAll { check.countGapsAsGarbage() }
        var findings = check.findings
        findings.damagedContent += check.damaged.count
        for record in check.damaged { noteDamage(record) }
        for (name, position) in check.registers { repair(name, at: position, &findings) }
        if !metAll, has(segment) { findings.add(try checkEntries(in: segment)) }
        return findings
    }

    func scrubLostSegments() throws -> ScrubFindings {
        var findings = ScrubFindings()
        let present = Set(log.segments.map(\.number))
        for (segment, totals) in index.segmentTotals
        where totals.liveRecords > 0 && !present.contains(segment) && segment < log.end.segment {
            findings.add(try noting { try checkEntries(in: segment) })
        }
        return findings
    }

    // MARK: - Entry by entry

    /// Looks for the record of every entry that points into a segment. Rare: walks over the whole index.
    private func checkEntries(in segment: UInt32) throws -> ScrubFindings {
        var findings = ScrubFindings()
        var ownerless: [BlobID: DamagedRecord] = [:]
        try index.visitEntries(in: UInt64(segment) << 32..<UInt64(segment + 1) << 32) { entry in
            switch entry {
            case .register(let name, let register):
                guard let error = failure(of: name, register) else { return true }
                note(error, &findings)
                if error.meansDamage { repair(name, at: register.position, &findings) }
            case .blob(let key, let location):
                guard let error = failure(of: key, location) else { return true }
                note(error, &findings)
                guard error.meansDamage else { return true }
                let record = DamagedRecord.content(key, at: location.position)
                if key.index == nil { ownerless[key.blob] = record } else { noteDamage(record) }
                if !location.isDamaged { findings.damagedContent += 1 }
            }
            return true
        }
        try noteWithOwners(ownerless)
        return findings
    }

    private func note(_ error: ObjectLogError, _ findings: inout ScrubFindings) {
        if case .damaged(_, DiskReplica.otherRecord) = error { findings.misplacedEntries += 1 }
        if !error.meansDamage {
            logger.warning("a record cannot be checked", metadata: ["disk": "\(path)", "error": "\(error)"])
        }
    }

    /// nil: the record is there.
    private func failure(of name: RegisterName, _ register: IndexedRegister) -> ObjectLogError? {
        let position = LogPosition(rawValue: register.position)
        do {
            let record = try log.readPatiently(at: position, size: Int(register.recordSize))
            guard case .register(name, let value)? = RecordHead(type: record.type, head: record.head),
                value == register.value
            else { return .damaged(position, Self.otherRecord) }
            return nil
        } catch { return error }
    }

    private func failure(of key: BlobKey, _ location: BlobLocation) -> ObjectLogError? {
        do {
            _ = try read(key, at: location, patiently: true)
            return nil
        } catch { return error }
    }

    private func repair(_ name: RegisterName, at position: UInt64, _ findings: inout ScrubFindings) {
        noteDamage(.register(name, at: position))
        do {
            if try reappend(name, at: position) { findings.rewrittenRegisters += 1 }
        } catch {
            logger.error("a register cannot be written again", metadata: ["disk": "\(path)", "error": "\(error)"])
        }
    }

    /// Blobs are listed with the registers beside which they stand: without these nobody could heal them.
    private func noteWithOwners(_ records: [BlobID: DamagedRecord]) throws {
        guard !records.isEmpty else { return }
        var left = records
        try index.visitEntries(in: 0..<UInt64.max) { entry in
            guard case .register(let name, let register) = entry else { return false }
            for blob in register.value.blobs {
                guard var record = left.removeValue(forKey: blob) else { continue }
                record.owner = name
                noteDamage(record)
            }
            return !left.isEmpty
        }
        for record in left.values { noteDamage(record) }
    }

    // MARK: - Registers

    /// Appends a register again whose record in the log is bad, from its entry in the index. Returns whether it was done:
    /// not when it has another record meanwhile, nor when the entry is in doubt, for its age is all that tells.
    func reappend(_ name: RegisterName, at position: UInt64) throws -> Bool {
        guard let found = try index.register(name), found.position == position else { return false }
        guard position >= index.doubt(ofSlot: SlotSet.slot(ofKey: name.indexKey)) else { return false }
        let entry = LogEntry.register(name, found.value)
        return try critical(name, room: entry.recordSize) { state, _ in
            guard try index.register(name)?.position == position else { return false }
            let appended = try log.append(entry, urgency: .lazy)
            let register = IndexedRegister(
                value: found.value, position: appended.rawValue, recordSize: UInt32(entry.recordSize))
            state.queue.append(Queued(position: appended, change: .register(name, register)))
            return true
        }
    }
}
