import MetadataIndex
import Model
import ObjectLog
import Synchronization
import Threads

/// The slots for which this disk answers, and their way from and to other disks of the node.
extension DiskReplica {
    // MARK: - Owning

    /// To be asked under the lock, in one critical section with the decision.
    func checkOwner(_ slot: @autoclosure () -> Int, _ state: borrowing State) throws(StorageError) {
        if !state.ownsAll, !state.owned.contains(slot()) { throw .moved }
    }

    var ownedSlots: SlotSet { state.withLock { $0.owned } }

    func own(_ slots: SlotSet) {
        state.withLock { state in
            state.owned = slots
            state.ownsAll = slots == .all
        }
        digests.withLock { $0.setOwned(slots) }
    }

    /// From now on this disk decides nothing about the slots. Returns up to which counter it may have promised.
    func release(_ slots: SlotSet) -> UInt64 {
        let (left, promised) = state.withLock { state in
            state.owned = state.owned.subtracting(slots)
            state.ownsAll = false
            return (state.owned, state.replica.promisedMax)
        }
        digests.withLock { $0.setOwned(left) }
        return promised
    }

    // MARK: - Changes while slots are copied

    func track(_ slots: SlotSet) { digests.withLock { _ in changes.withLock { $0 = SlotChanges(slots: slots) } } }
    func untrack() { changes.withLock { $0 = nil } }

    /// What has changed since the last time.
    func takeChanges() -> SlotChanges? {
        changes.withLock { changes in
            defer { changes = changes.map { SlotChanges(slots: $0.slots) } }
            return changes
        }
    }

    // MARK: - Records of its own

    /// Appends records that belong together and waits until they are durable and in the index. Blocks.
    func appendDurably(_ entries: [LogEntry], priority: AppendPriority = .content) throws {
        try awaitAnswer { completion in appendAll(entries, urgency: .now, priority: priority, completion) }
    }

    /// Waits until everything decided so far is durable and in the index, or the disk has failed: then what is in the
    /// index is all that it has ever answered for. Blocks.
    func settleAll() throws {
        guard failure == nil else { return }
        do { try appendDurably([.ceiling(index.ceiling)], priority: .deletion) } catch {
            if failure == nil { throw error }
        }
    }

    /// The slots are another disk's: what stands of them before the end of the log counts for nothing. Blocks.
    func leave(_ slots: SlotSet) throws {
        try appendDurably([.leftSlots(before: log.end, slots: slots)], priority: .deletion)
    }

    private static let partitionsPerRecord = 4096

    /// The ring took these partitions away from the node: what stands of them before the end of the log counts for
    /// nothing. Blocks.
    func leave(_ partitions: [UInt32], of cut: PartitionCut) throws {
        let end = log.end
        let entries = stride(from: 0, to: partitions.count, by: Self.partitionsPerRecord).map { start in
            LogEntry.leftPartitions(
                before: end, cut, partitions[start..<min(start + Self.partitionsPerRecord, partitions.count)])
        }
        try appendDurably(entries, priority: .deletion)
    }

    /// Takes what it has left out of the index, some entries at a time, so that nobody waits long. Blocks.
    func forgetLeft(whileTrue goesOn: () -> Bool) throws {
        var cursor: LeftCursor?
        repeat {
            guard goesOn() else { return }
            cursor = try digests.withLock { digests in
                try index.forgetLeft(after: cursor, limit: 1000) { digests.update($0) }
            }
            generation.wrappingAdd(1, ordering: .releasing)
        } while cursor != nil
    }
}

/// Starts something and waits for its answer. Blocks: for threads of our own.
func awaitAnswer<Answer: Sendable>(_ body: (@escaping Completion<Answer>) -> Void) throws -> Answer {
    let result = Monitor(Result<Answer, StorageError>?.none)
    body { answer in
        result.withLock { $0 = answer }
        result.wake()
    }
    return try result.waiting { state, waiter in
        while true {
            if let answer = state.pointee { return answer }
            waiter.wait()
        }
    }.get()
}
