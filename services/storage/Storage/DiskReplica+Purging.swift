import MetadataIndex
import Model
import ObjectLog
import Register

/// Dropping tombstones that every replica of their keys has.
extension DiskReplica {
    /// Keys and bytes of names in one record.
    private static let keysPerRecord = 100
    private static let bytesPerRecord = 32 << 10

    /// Drops those tombstones that are still exactly what the disk durably has of their keys. Completes, when that is
    /// durable, with how many.
    func purge(_ tombstones: [PurgedRegister], _ completion: @escaping Completion<Int>) {
        run(completion) {
            let room = tombstones.reduce(1024) { $0 + $1.name.key.count + 256 }
            var done: Held?
            try appending(room: room, priority: .deletion, if: { _ in }) { state in
                let purged = decide(tombstones, &state)
                let answer: Held = { error in completion(error.map { .failure($0) } ?? .success(purged.count)) }
                guard !purged.isEmpty else { return done = answer }
                do { try append(purged, answer, &state) } catch {
                    // The machine counts on it: without it, its memory is not what will be on the disk.
                    state.failure = StorageError(error)
                    throw error
                }
                metrics.purged.increment(by: purged.count)
            }
            return done
        }
    }

    private typealias Purged = (register: PurgedRegister, ticket: AppendTicket)

    private func decide(_ tombstones: [PurgedRegister], _ state: inout State) -> [Purged] {
        tombstones.compactMap { item in
            guard state.ownsAll || state.owned.contains(SlotSet.slot(ofKey: item.name.indexKey)) else { return nil }
            let stored = stored(item.name)
            if case .found(let held) = stored, held.record?.isDeleteMarker ?? false { return nil }
            let decision = state.replica.purge(item.name, tag: item.tag, stored: stored)
            return decision.purge.map { (item, $0.ticket) }
        }
    }

    /// The floor first: what of it a crash leaves is the beginning.
    private func append(_ purged: [Purged], _ answer: @escaping Held, _ state: inout State) throws {
        try append(
            .floor(IndexFloor(state.replica.floor)), urgency: .lazy, priority: .deletion, answer: nil, &state)
        var rest = purged[...]
        while !rest.isEmpty {
            let record = Self.firstRecord(of: rest)
            rest = rest.dropFirst(record.count)
            let isLast = rest.isEmpty
            try append(
                .purge(record.map(\.register)), urgency: isLast ? .now : .lazy, priority: .deletion,
                answer: isLast ? answer : nil, &state)
            state.queue[state.queue.count - 1].tickets = record.map(\.ticket)
            for item in record { state.purging[item.register.name] = item.register.tag }
        }
    }

    private static func firstRecord(of purged: ArraySlice<Purged>) -> ArraySlice<Purged> {
        var bytes = 0
        return purged.prefix(keysPerRecord).prefix { item in
            defer { bytes += item.register.name.key.count }
            return bytes < bytesPerRecord
        }
    }

    /// Whether a record of this key with this tag was purged, or is about to be. Under the lock.
    func isPurged(_ owner: PurgedRegister, _ state: borrowing State) throws -> Bool {
        if let tag = state.purging[owner.name], owner.tag <= tag { return true }
        guard index.purgedCount > 0, let marker = try index.purgedMarker(of: owner.name) else { return false }
        return owner.tag <= marker.tag
    }

    // MARK: - Floor

    var floor: PurgeFloor { state.withLock { $0.replica.floor } }

    /// What may have been purged elsewhere counts here too. Durable when it returns. Blocks.
    func raiseFloor(to floor: PurgeFloor) throws {
        let new = state.withLock { state in
            state.replica.raiseFloor(to: floor)
            return IndexFloor(state.replica.floor)
        }
        if !index.floor.covers(new) { try appendDurably([.floor(new)], priority: .deletion) }
    }
}

extension IndexFloor {
    init(_ floor: PurgeFloor) { self.init(ballot: floor.ballot, sequence: floor.sequence) }
}
