import MetadataIndex
import Model
import ObjectLog
import Register

/// What a disk has forgotten by one loss of records: nobody knows of which keys of these slots.
public struct DiskDoubt: Sendable, Hashable {
    /// Id of the disk, in hex digits.
    public var disk: String
    public var path: String
    /// What stands in the log before it, or is missing there, cannot be trusted.
    public var position: UInt64
    public var slots: SlotSet
    /// Nothing that was forgotten has a higher ballot counter; 0: nobody knows yet.
    public var bound: UInt64

    /// The same loss, whatever is known of it.
    func isSame(as other: DiskDoubt) -> Bool {
        disk == other.disk && position == other.position && slots == other.slots
    }
}

/// Lost records: the disk does not vote for their slots until the repair process has taught it what the others have.
extension DiskReplica {
    var doubts: [DiskDoubt] { index.hasDoubt ? state.withLock { doubts($0) } : [] }

    private func doubts(_ state: borrowing State) -> [DiskDoubt] {
        var bound: UInt64 = 0
        if case .bounded(let counter) = state.replica.doubt { bound = counter }
        let owned = state.owned
        return index.doubts.compactMap { slots, position in
            let slots = slots.intersection(owned)
            guard !slots.isEmpty else { return nil }
            return DiskDoubt(disk: id, path: path, position: position, slots: slots, bound: bound)
        }
    }

    /// Every key counts as promised up to this counter, durably, and what was accepted before is in the index. Blocks.
    /// - Parameter bounding: losses for which the counter is above everything forgotten. It counts only when they are all
    ///   that the disk has.
    func fence(upTo counter: UInt64, bounding told: [DiskDoubt] = []) throws {
        guard counter <= Ballot.counterMax else { throw StorageError.malformed("no such ballot counter") }
        state.withLock { state in
            let doubts = doubts(state)
            let isBound = !doubts.isEmpty && doubts.allSatisfy { doubt in told.contains { $0.isSame(as: doubt) } }
            let decision = state.replica.fence(to: counter, isBound: isBound)
            if let raise = decision.raiseCeiling { raiseCeiling(to: raise, &state) }
        }
        // It stands behind everything that was accepted before, and is answered when all of that is in the index.
        try appendDurably([.ceiling(max(counter, index.ceiling))], priority: .deletion)
    }

    /// What it has, or lacks, of these slots cannot be trusted: it may have been newer. Durable when it returns. Blocks.
    func distrust(_ slots: SlotSet) throws {
        try appendDurably([.doubt(before: log.end, slots: slots)], priority: .deletion)
        state.withLock { $0.replica.distrust() }
    }

    /// Takes what it has of these slots for complete. Blocks.
    func trust(_ slots: SlotSet) throws {
        let doubts = index.doubts.filter { !$0.slots.intersection(slots).isEmpty }
        try appendTrust(doubts.map { ($0.before, $0.slots.intersection(slots)) })
    }

    /// The disk has been taught everything that this loss can have taken. Returns false when it is no longer what it was,
    /// or not fenced. Blocks.
    func trust(_ told: DiskDoubt) throws -> Bool {
        guard told.bound > 0, told.bound <= index.ceiling, doubts.contains(where: { $0.isSame(as: told) }) else {
            return false
        }
        // A later loss has a later position, and is not settled by this.
        try appendTrust([(told.position, told.slots)])
        logger.notice("the disk votes again", metadata: ["disk": "\(path)", "before": "\(told.position)"])
        return true
    }

    private func appendTrust(_ settled: [(before: UInt64, slots: SlotSet)]) throws {
        try appendDurably(
            settled.map { .trust(before: LogPosition(rawValue: $0.before), slots: $0.slots) }, priority: .deletion)
        state.withLock { state in
            if !index.hasDoubt { state.replica.trust() }
        }
    }
}
