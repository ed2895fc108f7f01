import MetadataIndex
import Model
import ObjectLog

/// What other replicas missed, kept until the replicator has delivered it.
extension DiskReplica {
    /// Completes when they are durable.
    func noteHints(_ hints: [[UInt8]], _ completion: @escaping Completion<Void>) {
        appendAll(hints.map { .hint($0) }, completion)
    }

    func forgetHints(_ ids: [UInt64], _ completion: @escaping Completion<Void>) {
        appendAll(ids.isEmpty ? [] : [.forgetHints(ids)], priority: .deletion, completion)
    }
}

/// Records of the node itself.
extension DiskReplica {
    /// Appends them, one behind the other; completes when they are durable and in the index. `slots`: those that the disk
    /// must own for it.
    func appendAll(
        _ entries: [LogEntry], urgency: Urgency = .lazy, priority: AppendPriority = .content,
        owning slots: SlotSet = SlotSet(),
        _ completion: @escaping Completion<Void>
    ) {
        guard !entries.isEmpty else { return completion(.success(())) }
        run(completion) {
            let room = entries.reduce(0) { $0 + $1.recordSize + 8 }
            try appending(
                room: room, priority: priority,
                if: { state in
                    guard state.ownsAll || slots.subtracting(state.owned).isEmpty else { throw StorageError.moved }
                }
            ) { state in
                for entry in entries.dropLast() {
                    try append(entry, urgency: .lazy, priority: priority, answer: nil, &state)
                }
                let answer: Held = { error in completion(error.map { .failure($0) } ?? .success(())) }
                if let last = entries.last {
                    try append(last, urgency: urgency, priority: priority, answer: answer, &state)
                }
            }
            return nil
        }
    }

    /// Runs `body` once under the lock, with room for so many bytes, while the disk takes writes and `check` holds.
    func appending(
        room: Int, priority: AppendPriority = .content, if check: (borrowing State) throws -> Void,
        _ body: (inout State) throws -> Void
    ) throws {
        while true {
            try log.waitForRoom(room, priority: priority)
            let isDone = try state.withLock { state in
                if let failure = state.failure { throw failure }
                try check(state)
                guard try log.hasRoom(room, priority: priority) else { return false }
                try body(&state)
                return true
            }
            if isDone { return }
        }
    }

    /// Under the lock, with room made sure before.
    @discardableResult
    func append(
        _ entry: LogEntry, urgency: Urgency, priority: AppendPriority = .content, answer: Held?, _ state: inout State
    ) throws -> LogPosition {
        let position = try log.append(entry, urgency: urgency, priority: priority)
        guard let change = IndexChange(entry, at: position) else {
            throw StorageError.malformed("a record of type \(entry.type) without meaning")
        }
        state.queue.append(Queued(position: position, change: change, answer: answer))
        return position
    }
}
