import ArgumentParser
import Checksums
import Foundation
import NIOCore
import ObjectLog
import Threads

/// Appends that wait for their sync, and reads.
struct LogBenchmark: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "log", abstract: "Appends, acknowledged after their sync, and reads of an object log.")

    @Option(help: "Where to work.") var directory = NSTemporaryDirectory()
    @Option(help: "Bytes of each record's payload.") var size = 4096
    @Option(parsing: .upToNextOption, help: "Appends under way at a time.") var writers = [1, 16, 64, 256]
    @Option(help: "How long each number of writers is measured.") var seconds = 5.0

    func run() throws {
        let folder = try ScratchFolder(below: directory)
        defer { folder.remove() }
        let (log, _) = try ObjectLog.open(
            RealDirectory(folder.path + "/log"),
            configuration: ObjectLogConfiguration(node: "benchmark"), replay: { _ in })
        let waiters = SyncWaiters()
        log.start(observer: waiters)
        defer { log.stop() }
        let payload = ByteBuffer(repeating: 7, count: size)
        for width in writers { try append(log, waiters, payload, width: width) }
        for threads in [1, 4] { try read(log, waiters, threads: threads) }
    }

    private func append(_ log: ObjectLog, _ waiters: SyncWaiters, _ payload: ByteBuffer, width: Int) throws {
        let before = waiters.syncs
        let cpuBefore = ProcessAccount.processSeconds
        let outcome = try Outstanding(width: width) { number, done in
            let head = Array("key \(number)".utf8) + [UInt8](repeating: 1, count: 100)
            let entry = LogEntry(type: 2, head: head, payload: payload, payloadChecksum: crc32c(payload))
            try waiters.append(entry, to: log, done)
        }.run(seconds: seconds)
        let syncs = waiters.syncs - before
        let cpu = ProcessAccount.processSeconds - cpuBefore
        let mebibytes = Double(outcome.latencies.count * payload.readableBytes) / 1_048_576
        show(
            String(
                format: "%3d writers: %8.0f appends/s, %6.0f syncs/s, %5.1f appends per sync, ", width,
                outcome.perSecond, Double(syncs) / outcome.seconds,
                Double(outcome.latencies.count) / Double(max(1, syncs)))
                + outcome.latencies.text + String(format: ", %.2f ms of CPU per MiB", cpu / mebibytes * 1e3))
    }

    private func read(_ log: ObjectLog, _ waiters: SyncWaiters, threads: Int) throws {
        let places = waiters.places
        let outcome = try Outstanding(width: threads) { _, done in
            let place = places[Int.random(in: 0..<places.count)]
            _ = try log.read(at: place.position, size: place.size)
            done()
        }.run(seconds: seconds, threads: threads)
        show(String(format: "%3d readers: %8.0f reads/s, ", threads, outcome.perSecond) + outcome.latencies.text)
    }
}

/// Who waits for which sync.
final class SyncWaiters: ObjectLogObserver {
    typealias Place = (position: LogPosition, size: Int)

    private struct State {
        var waiting: [(position: LogPosition, done: @Sendable () -> Void)] = []
        var places: [Place] = []
        var syncs = 0
    }

    private let state = Monitor(State())

    var syncs: Int { state.withLock { $0.syncs } }
    /// Of some of the records.
    var places: [Place] { state.withLock { $0.places } }

    func append(_ entry: LogEntry, to log: ObjectLog, _ done: @escaping @Sendable () -> Void) throws {
        try log.waitForRoom(entry.recordSize)
        try state.withLock { state in
            let position = try log.append(entry)
            state.waiting.append((position, done))
            if state.places.count < 200_000 { state.places.append((position, entry.recordSize)) }
        }
    }

    func logSynced(_ batch: SyncedBatch) {
        let durable = state.withLock { state in
            state.syncs += 1
            let count = state.waiting.firstIndex { $0.position >= batch.end } ?? state.waiting.count
            defer { state.waiting.removeFirst(count) }
            return Array(state.waiting[..<count])
        }
        for waiter in durable { waiter.done() }
    }

    func logFailed(_ error: ObjectLogError) { fatalError("\(error)") }
}
