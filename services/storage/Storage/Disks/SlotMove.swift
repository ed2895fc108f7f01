import MetadataIndex
import Model
import ObjectLog

/// Moves some slots from one disk to another of the same node, while both serve.
///
/// 1. disks.json notes that the target may have records of the slots (a *remnant*): after a crash they are dropped again.
/// 2. Everything is copied, then what has changed meanwhile, until little is left.
/// 3. Cutover: the source decides nothing more about the slots, requests are parked; the last changes are copied; the
///    target promises whatever the source may have promised, and takes over its floor; disks.json gives the slots to the target, durably; the
///    target decides from then on, and the parked requests ask it.
/// 4. What the source has is the remnant now, and dropped in its own time.
///
/// Whoever owns a slot by disks.json has everything of it: before the switch nothing was decided but by the source, and
/// what the source answered is durable on the target before the switch is. So a crash at any point loses nothing, and
/// there is never a moment at which both decide.
struct SlotMove {
    private static let passesMax = 32
    /// Changes that are left for the cutover, while requests wait.
    private static let cutoverMax = 64

    let set: DiskSet
    let slots: SlotSet
    let from: (slot: DiskSlot, replica: DiskReplica)
    let to: (slot: DiskSlot, replica: DiskReplica)
    /// See ``SlotCopy/pace``.
    let pace: (Int) throws -> Void
    /// Called between attempts to write disks.json when nobody knows whether it was; false: the node stops.
    let awaitRetry: () -> Bool

    /// Returns how many records of content could not be read.
    func run() throws -> Int {
        try set.change { $0.addRemnant(slots.slots, of: to.slot.number) }
        try to.replica.raiseFloor(to: from.replica.floor)
        from.replica.track(slots)
        defer { from.replica.untrack() }
        var copy = SlotCopy(source: from.replica, target: to.replica, slots: slots, pace: pace)
        try copy.copyAll()
        try catchUp(&copy)
        try set.inTransition { try cutOver() }
        note(copy.unreadable)
        return copy.unreadable.count
    }

    /// The repair process asks for it, and brings it from other replicas.
    private func note(_ missing: Set<DamagedRecord>) {
        for record in missing { to.replica.damage.note(record, disk: to.slot.path) }
    }

    private func catchUp(_ copy: inout SlotCopy) throws {
        for _ in 0..<Self.passesMax {
            guard let changes = from.replica.takeChanges() else { return }
            if changes.isOverflowing { try copy.copyAll() } else { try copy.copy(changes) }
            if changes.count <= Self.cutoverMax { return }
        }
        throw StorageError.overloaded
    }

    // MARK: - Cutover

    private func cutOver() throws {
        set.beginCutover(of: slots)
        let promised = from.replica.release(slots)
        do {
            try handOver(promised: promised)
            try switchOwner()
        } catch DiskTableFile.Failure.indeterminate(let reason) {
            // The node stops, and reads at its next start who it is.
            throw DiskTableFile.Failure.indeterminate(reason)
        } catch {
            // disks.json is the old one: the source goes on where it stopped, its memory is whole.
            set.applyOwners(to: [from.slot])
            set.endCutover()
            throw error
        }
        set.applyOwners(to: [from.slot, to.slot])
        set.endCutover()
    }

    /// Afterwards the target has, durably, everything that the source ever answered for.
    private func handOver(promised: UInt64) throws {
        try from.replica.settleAll()
        try to.replica.raiseFloor(to: from.replica.floor)
        if let last = from.replica.takeChanges() {
            guard !last.isOverflowing else { throw StorageError.overloaded }
            // Not slowed down: requests wait.
            var copy = SlotCopy(source: from.replica, target: to.replica, slots: slots, pace: { _ in })
            try copy.copy(last)
            note(copy.unreadable)
        }
        try to.replica.trust(slots)
        let doubted = from.replica.index.doubted.intersection(slots)
        if !doubted.isEmpty { try to.replica.distrust(doubted) }
        try to.replica.fence(upTo: promised)
    }

    private func switchOwner() throws {
        while true {
            do {
                return try set.change { table in
                    // A source that was opened again meanwhile has decided since, and nobody has copied that.
                    guard from.slot.serves(from.replica) else {
                        throw StorageError.unavailable("\(from.slot.path) was opened again")
                    }
                    table.assign(slots.slots, to: to.slot.number)
                    table.removeRemnant(slots.slots, of: to.slot.number)
                    table.addRemnant(slots.slots, of: from.slot.number)
                }
            } catch DiskTableFile.Failure.indeterminate(let reason) {
                // Either may own them now. Nobody decides until that is known.
                set.blockCutover()
                from.replica.logger.critical(
                    "nobody knows which disk owns some slots until disks.json can be written",
                    metadata: ["error": "\(reason)"])
                guard awaitRetry() else { throw DiskTableFile.Failure.indeterminate(reason) }
            }
        }
    }
}
