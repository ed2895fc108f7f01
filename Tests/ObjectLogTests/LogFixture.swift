import Checksums
import Model
import NIOCore
import ObjectLog
import Threads

/// Hears of syncs and failures; lets a test wait for them.
final class Collector: ObjectLogObserver {
    private struct State {
        var end = LogPosition.start
        var batches: [SyncedBatch] = []
        var failure: ObjectLogError?
    }

    private let state = Monitor(State())

    func logSynced(_ batch: SyncedBatch) {
        state.withLock {
            $0.end = batch.end
            $0.batches.append(batch)
        }
        state.wake()
    }

    func logFailed(_ error: ObjectLogError) {
        state.withLock { $0.failure = error }
        state.wake()
    }

    var end: LogPosition { state.withLock { $0.end } }
    var batches: [SyncedBatch] { state.withLock { $0.batches } }
    var failure: ObjectLogError? { state.withLock { $0.failure } }

    /// False: the log has failed before.
    @discardableResult
    func wait(for position: LogPosition) -> Bool {
        state.waiting { state, waiter in
            while state.pointee.end <= position, state.pointee.failure == nil { waiter.wait() }
            return state.pointee.end > position
        }
    }

    func waitForFailure() -> ObjectLogError {
        state.waiting { state, waiter in
            while state.pointee.failure == nil { waiter.wait() }
            return state.pointee.failure!
        }
    }
}

/// An open log with what opening it found.
struct OpenLog {
    let log: ObjectLog
    let collector = Collector()
    let report: RecoveryReport
    let replayed: [ReplayedRecord]

    init(
        _ directory: any LogDirectory, node: NodeName = "storage-1", segmentSize: Int = 64 << 10,
        checkpoint: LogPosition = .start, lazyDelay: Duration = .seconds(60), directFrom: Int = 128 << 10,
        starts: Bool = true
    ) throws {
        var replayed: [ReplayedRecord] = []
        var configuration = ObjectLogConfiguration(node: node, segmentSize: segmentSize, lazyDelay: lazyDelay)
        configuration.directFrom = directFrom
        (log, report) = try ObjectLog.open(directory, configuration: configuration, checkpoint: { checkpoint }) {
            replayed.append($0)
        }
        self.replayed = replayed
        if starts { log.start(observer: collector) }
    }

    /// Appends and waits for the sync.
    @discardableResult
    func write(_ entry: LogEntry) throws -> LogPosition {
        let position = try log.append(entry)
        collector.wait(for: position)
        return position
    }
}

extension LogEntry {
    /// A record with a text as its head and a payload of so many bytes.
    static func text(_ text: String, payload count: Int = 0) -> LogEntry {
        let seed = text.utf8.reduce(7) { $0 &* 31 &+ Int($1) }
        let payload = ByteBuffer(bytes: (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 7 &+ seed) })
        return LogEntry(type: 1, head: Array(text.utf8), payload: payload, payloadChecksum: crc32c(payload))
    }
}

extension ReplayedRecord {
    var text: String { String(decoding: head, as: UTF8.self) }
}

func segmentName(_ number: Int) -> String {
    "segment-" + String(repeating: "0", count: 10 - "\(number)".count) + "\(number).log"
}
