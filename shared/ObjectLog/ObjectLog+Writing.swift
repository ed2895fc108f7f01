import Threads

/// The writer thread.
extension ObjectLog {
    private static let batchSizeMax = 16 << 20
    private static let markDelayMilliseconds = 200

    func run() {
        var writer = BatchWriter(seed: seed)
        while let batch = nextBatch() {
            if !write(batch, with: &writer) { return }
        }
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

    /// False when the log has failed.
    private func write(_ batch: [Pending], with writer: inout BatchWriter) -> Bool {
        guard let last = batch.last else { return true }
        let begin = ContinuousClock.now
        let durable = state.withLock { $0.durable }
        do throws(FileError) {
            try writer.write(batch, durable: durable)
            if let trailer = last.trailer { try last.segment.file.write(trailer, at: last.segment.recordLimit) }
            try last.segment.file.sync()
        } catch {
            fail(error)
            return false
        }
        let end = last.header.position.advanced(by: last.header.alignedSize)
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
        return true
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
