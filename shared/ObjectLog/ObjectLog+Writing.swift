import Threads

/// The writer thread.
extension ObjectLog {
    private static let batchSizeMax = 16 << 20
    private static let markDelayMilliseconds = 200
    /// While there is always something to write, the end mark is synced so often.
    private static let endMarkInterval = Duration.seconds(1)

    func run() {
        var writer = BatchWriter(seed: seed, directory: directory, directFrom: configuration.directFrom)
        var endMark = endMark
        var markSynced = ContinuousClock.now
        do throws(FileError) {
            while let batch = nextBatch() {
                guard let last = batch.last else { continue }
                try write(batch, last, with: &writer, &endMark)
                let isIdle = last.header.type == Self.markType
                guard isIdle || ContinuousClock.now - markSynced >= Self.endMarkInterval else { continue }
                try endMark?.sync()
                markSynced = .now
            }
            try endMark?.sync()
        } catch { fail(error) }
    }

    /// What waits, of one segment: a batch never begins a segment before the one before it is synced.
    private func nextBatch() -> [Pending]? {
        state.waiting { state, waiter in
            let lazyMilliseconds = max(1, Int(configuration.lazyDelay / .milliseconds(1)))
            while true {
                if state.pointee.failure != nil { return nil }
                if state.pointee.isUrgent { return state.pointee.takeBatch(sizeMax: Self.batchSizeMax) }
                if state.pointee.queue.isEmpty {
                    if state.pointee.isStopping {
                        return state.pointee.placeMark() ? state.pointee.takeBatch(sizeMax: .max) : nil
                    }
                    if !state.pointee.needsMark {
                        waiter.wait()
                    } else if !waiter.wait(milliseconds: Self.markDelayMilliseconds), state.pointee.queue.isEmpty {
                        // An idle log says how far it was synced, so that damage there is not taken for a torn tail.
                        _ = state.pointee.placeMark()
                    }
                } else if state.pointee.isStopping || !waiter.wait(milliseconds: lazyMilliseconds) {
                    return state.pointee.takeBatch(sizeMax: Self.batchSizeMax)
                }
            }
        }
    }

    private func write(
        _ batch: [Pending], _ last: Pending, with writer: inout BatchWriter, _ endMark: inout EndMark?
    ) throws(FileError) {
        let begin = ContinuousClock.now
        let (durable, heldUntil) = state.withLock { ($0.durable, $0.markHeldUntil) }
        try writer.write(batch, durable: durable)
        if let trailer = last.trailer { try last.segment.file.write(trailer, at: last.segment.recordLimit) }
        try last.segment.file.sync()
        let end = last.header.position.advanced(by: last.header.alignedSize)
        if end > heldUntil { try endMark?.write(end) }
        let bytes = batch.reduce(0) { $0 + $1.header.alignedSize }
        state.withLock { state in
            state.durable = end
            state.marked = batch.allSatisfy { $0.header.type == Self.markType } ? end : durable
            state.queuedBytes -= bytes
            if last.trailer != nil { state.sealing.remove(last.segment.number) }
        }
        state.wake()
        let seconds = (ContinuousClock.now - begin) / .seconds(1)
        let synced = SyncedBatch(end: end, records: batch.count, bytes: bytes, seconds: seconds)
        observer.withLock { $0 }?.logSynced(synced)
    }

    private func fail(_ error: FileError) {
        let failure = ObjectLogError.readOnly(error.description)
        state.withLock { state in
            state.failure = failure
            state.queue = []
        }
        state.wake()
        observer.withLock { $0 }?.logFailed(failure)
    }
}

extension ObjectLog.State {
    mutating func takeBatch(sizeMax: Int) -> [ObjectLog.Pending] {
        guard let first = queue.first else {
            isUrgent = false
            return []
        }
        var size = 0
        let count = queue.firstIndex { pending in
            size += pending.header.alignedSize
            return pending.segment.number != first.segment.number || size > sizeMax && pending.header != first.header
        }
        guard let count else {
            isUrgent = false
            defer { queue = [] }
            return queue
        }
        defer { queue.removeFirst(count) }
        return Array(queue[0..<count])
    }
}
