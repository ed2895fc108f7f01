import MetadataIndex
import Model
import ObjectLog

/// A record that is to be copied: where it stands, the key of its slot and partition, and the register to which it belongs.
struct CopiedRecord: Sendable {
    let key: [UInt8]
    let position: UInt64
    var owner: PurgedRegister?
}

extension DiskReplica {
    /// Records that wait to be written and applied.
    var backlog: Int { state.withLock { $0.queue.count } }

    /// Appends copies of records that belong together; `answer` is called when they are durable and in the index. Blocks
    /// while there is no room. They may use the reserve of a full disk. A copy must not stand behind the word that its
    /// slot went to another disk, nor behind its purge, nor behind a doubt that covers the record: then nothing is appended.
    /// - Parameter source: nil for records without a slot.
    func appendCopies(_ entries: [LogEntry], of source: CopiedRecord?, urgency: Urgency, answer: @escaping Held) throws
    {
        let room = entries.reduce(0) { $0 + $1.recordSize + 8 }
        while true {
            try log.waitForRoom(room, priority: .compaction)
            let isAppended = try state.withLock { state in
                if let failure = state.failure { throw failure }
                guard try log.hasRoom(room, priority: .compaction) else { return false }
                if let source { try checkCopy(of: source, state) }
                for entry in entries.dropLast() {
                    try append(entry, urgency: .lazy, priority: .compaction, answer: nil, &state)
                }
                if let last = entries.last {
                    try append(last, urgency: urgency, priority: .compaction, answer: answer, &state)
                }
                return true
            }
            if isAppended { return }
        }
    }

    /// Since the record was judged its slot may have been left, taken over again, and doubted, or its key purged.
    private func checkCopy(of source: CopiedRecord, _ state: State) throws {
        let slot = SlotSet.slot(ofKey: source.key)
        try checkOwner(slot, state)
        if index.hasLeft(key: source.key, position: source.position) { throw StorageError.moved }
        if let owner = source.owner, try isPurged(owner, state) { throw StorageError.moved }
        if source.position < index.doubt(ofSlot: slot) {
            throw StorageError.abstained("the record is older than the doubt of its slot")
        }
    }

    /// Segments to which nothing is appended any more and of which the index knows every record.
    var settledSegments: [SegmentInfo] {
        let applied = LogPosition(rawValue: index.checkpoint).segment
        return log.segments.filter { $0.isSealed && $0.number < applied }
    }

    func compactionCandidate(_ segment: SegmentInfo) -> CompactionCandidate {
        let totals = index.segmentTotals(of: segment.number) ?? SegmentTotals()
        return CompactionCandidate(
            segment: segment.number, keptBytes: totals.liveBytes + totals.controlBytes,
            garbageBytes: totals.garbageBytes)
    }

    /// After a crash the index may still count segments that were removed just before.
    func forgetRemovedSegments() throws {
        let present = Set(log.segments.map(\.number))
        for (segment, totals) in index.segmentTotals where !present.contains(segment) && totals.liveRecords == 0 {
            try index.removeSegmentTotals(segment)
        }
    }
}
