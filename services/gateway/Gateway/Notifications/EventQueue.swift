import Foundation
import NIOPosix
import Synchronization

/// The events of one webhook that wait for their delivery: an ``EventLog`` with a limit, behind a thread that may block.
///
/// Events that come at the same time share one sync.
final class EventQueue: Sendable {
    private struct State {
        /// Not begun to be written.
        var incoming: [(events: ArraySlice<[UInt8]>, answer: CheckedContinuation<Bool, Never>)] = []
        /// Of what is not written yet.
        var incomingBytes = 0
        var isWriting = false
        var count: Int
        var bytes: Int
        var dropped = 0
        var lastError = ""

        /// How many of the events there is room for; it is theirs then.
        mutating func reserve(_ events: [[UInt8]], bytesMax: Int) -> Int {
            for (index, event) in events.enumerated() {
                let size = event.count + EventLog.headerSize
                guard event.count <= EventLog.eventSizeMax, bytes + incomingBytes + size <= bytesMax else {
                    return index
                }
                incomingBytes += size
            }
            return events.count
        }
    }

    private let log: Mutex<EventLog>
    private let threads: NIOThreadPool
    private let bytesMax: Int
    private let state: Mutex<State>
    /// Rings when something was added.
    let bell: AsyncStream<Void>
    private let ring: AsyncStream<Void>.Continuation

    /// - Parameter bytesMax: what may wait; beyond that, new events are dropped.
    init(_ log: consuming sending EventLog, bytesMax: Int, threads: NIOThreadPool) {
        state = Mutex(State(count: log.count, bytes: log.bytes))
        self.log = Mutex(log)
        self.threads = threads
        self.bytesMax = bytesMax
        (bell, ring) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1))
        ring.yield()
    }

    struct Standing: Sendable {
        var count: Int
        var bytes: Int
        var dropped: Int
        var lastError: String
    }

    var standing: Standing {
        state.withLock { Standing(count: $0.count, bytes: $0.bytes, dropped: $0.dropped, lastError: $0.lastError) }
    }

    /// Returns how many of the events are durable, from the first one on; for the others there is no room, or the disk fails.
    func append(_ events: [[UInt8]]) async -> Int {
        let reserved = state.withLock { $0.reserve(events, bytesMax: bytesMax) }
        let isWritten = await withCheckedContinuation { (answer: CheckedContinuation<Bool, Never>) in
            let starts: Bool? = state.withLock { state in
                guard reserved > 0 else { return nil }
                state.incoming.append((events[..<reserved], answer))
                defer { state.isWriting = true }
                return !state.isWriting
            }
            switch starts {
            case nil: answer.resume(returning: false)
            case true?: threads.submit { [self] _ in drain() }
            case false?: break
            }
        }
        let kept = isWritten ? reserved : 0
        if kept > 0 { ring.yield() }
        if kept < events.count { state.withLock { $0.dropped += events.count - kept } }
        return kept
    }

    /// On the thread.
    private func drain() {
        while true {
            let batch = state.withLock { state in
                let batch = state.incoming
                state.incoming = []
                if batch.isEmpty { state.isWriting = false }
                return batch
            }
            guard !batch.isEmpty else { return }
            var failure: String?
            log.withLock { log in
                let events = batch.flatMap(\.events)
                do { try log.append(events) } catch { failure = "\(error)" }
                note(log, failure, written: events.reduce(0) { $0 + $1.count + EventLog.headerSize })
            }
            for (_, answer) in batch { answer.resume(returning: failure == nil) }
        }
    }

    private func note(_ log: borrowing EventLog, _ failure: String? = nil, written: Int = 0) {
        let (count, bytes) = (log.count, log.bytes)
        state.withLock { state in
            (state.count, state.bytes) = (count, bytes)
            state.incomingBytes -= written
            if let failure { state.lastError = failure }
        }
    }

    /// The oldest event; nil: there is none, or the disk fails.
    func first() async -> (number: UInt64, event: [UInt8])? {
        try? await threads.runIfActive { [self] in
            log.withLock { log in
                do { return try log.first() } catch {
                    note(log, "\(error)")
                    return nil
                }
            }
        }
    }

    /// The event was delivered.
    func remove(through number: UInt64) async {
        try? await threads.runIfActive { [self] in
            log.withLock { log in
                log.remove(through: number)
                note(log)
            }
        }
    }

    /// Nothing rings any more.
    func close() { ring.finish() }
}
