import MetadataIndex
import Model
import ObjectLog

/// What other replicas missed, kept until the replicator has delivered it.
extension DiskReplica {
    /// Completes when they are durable.
    func noteHints(_ hints: [[UInt8]], _ completion: @escaping Completion<Void>) {
        appendAll(hints.map { .hint($0) }, completion) { place, index in
            .hint(id: place.position, hints[index], recordSize: place.size)
        }
    }

    func forgetHints(_ ids: [UInt64], _ completion: @escaping Completion<Void>) {
        appendAll(ids.isEmpty ? [] : [.forgetHints(ids)], completion) { place, _ in .forgetHints(ids, place) }
    }

    private func appendAll(
        _ entries: [LogEntry], _ completion: @escaping Completion<Void>,
        _ change: (RecordPlace, Int) -> IndexChange
    ) {
        guard !entries.isEmpty else { return completion(.success(())) }
        run(completion) {
            let room = entries.reduce(0) { $0 + $1.recordSize + 8 }
            while true {
                try log.waitForRoom(room)
                let isAppended = try state.withLock { state in
                    if let failure = state.failure { throw failure }
                    guard try log.hasRoom(room) else { return false }
                    for (index, entry) in entries.enumerated() {
                        let position = try log.append(entry, urgency: .lazy)
                        let place = RecordPlace(position: position.rawValue, size: UInt32(entry.recordSize))
                        let isLast = index == entries.count - 1
                        let answer: Held = { error in completion(error.map { .failure($0) } ?? .success(())) }
                        state.queue.append(
                            Queued(position: position, change: change(place, index), answer: isLast ? answer : nil))
                    }
                    return true
                }
                if isAppended { return nil }
            }
        }
    }
}
