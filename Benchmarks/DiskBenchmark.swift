import ArgumentParser
import Checksums
import Foundation
import Logging
import MetadataIndex
import Model
import NIOCore
import Observability
import Storage
import Wire

/// A whole disk: writes through the engine, and opening it after a clean stop and after a crash.
struct DiskBenchmark: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "disk", abstract: "Writes through the engine of one disk, and opening it again.",
        discussion: """
            Without --load the folder of an earlier --keep or --crash is opened; with --objects some of them are read. \
            --crash ends the process without a stop after the load, so that the next opening has to replay.
            """)

    @Option(help: "The folder; it stays when --keep or --crash is given.") var path: String
    @Option(help: "Objects to write, beside those that are there; 0: none.") var load = 0
    @Option(help: "Objects that the folder has already.") var objects = 0
    @Option(help: "Bytes of each object's content.") var size = 64
    @Option(help: "Writes under way at a time.") var writers = 256
    @Option(help: "Memory of the index, in MiB.") var memory = 256
    @Flag(help: "Leave the folder.") var keep = false
    @Flag(help: "End as if killed after the load.") var crash = false

    func run() throws {
        let account = MemoryAccount(limitMebibytes: memory)
        if load > 0 {
            let engine = try open()
            let upkeep = EngineUpkeep(engine)
            try write(engine)
            upkeep.stop()
            show("  " + account.text)
            if crash { _exit(0) }
            let (_, seconds) = measured { engine.stop() }
            show(String(format: "stop: %.2f s", seconds))
        }
        let (engine, seconds) = try measured { try open() }
        show(String(format: "open: %.2f s", seconds))
        show("  " + account.text)
        if objects + load > 0 {
            try read(engine, objects + load)
            show("  " + account.text)
        }
        let (_, stopping) = measured { engine.stop() }
        show(String(format: "stop: %.2f s", stopping))
        if !keep { try FileManager.default.removeItem(atPath: path) }
    }

    private func open() throws -> StorageEngine {
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
        var options = StorageEngine.Options(node: "benchmark", dataDirectory: path, disks: [path + "/disk-1"])
        options.indexMemory = memory << 20
        return try StorageEngine(options, metrics: MetricsRegistry(), logger: Logger(label: "benchmark"))
    }

    private func read(_ engine: StorageEngine, _ count: Int) throws {
        let before = (device: ProcessAccount.deviceBytes, seconds: ProcessAccount.processSeconds)
        let outcome = try Outstanding(width: 4) { _, done in
            engine.read(DiskContent.name(Int.random(in: 0..<count)), withBlob: true) { result in
                guard case .success(let result) = result, result.blob != nil else { fatalError("\(result)") }
                done()
            }
        }.run(count: 200_000)
        let each = 1 / Double(outcome.latencies.count)
        show(
            String(
                format: "reads with content: %.0f/s, %.1f µs of CPU and %.1f KiB from the device for each, ",
                outcome.perSecond, (ProcessAccount.processSeconds - before.seconds) * 1e6 * each,
                (ProcessAccount.deviceBytes - before.device) / 1024 * each) + outcome.latencies.text)
    }

    private func write(_ engine: StorageEngine) throws {
        let content = DiskContent(size: size)
        // Above all that an earlier process may have promised.
        let counter = UInt64(objects) << 10 + 1
        let outcome = try Outstanding(width: writers) { [objects] number, done in
            content.put(objects + number, counter: counter + UInt64(number), in: engine, done)
        }.run(count: load)
        show(String(format: "load: %.0f objects/s, ", outcome.perSecond) + outcome.latencies.text)
    }
}

/// Objects as a gateway writes them.
struct DiskContent: Sendable {
    private let bytes: ByteBuffer
    private let checksum: UInt32
    private static let bucket = BucketID(high: 1, low: 2)

    init(size: Int) {
        bytes = ByteBuffer(repeating: 7, count: size)
        checksum = crc32c(bytes)
    }

    static func name(_ number: Int) -> Model.RegisterName {
        RegisterName(bucket: bucket, key: Array("photos/\(number / 5000)/image-\(number).jpg".utf8))
    }

    /// `counter`: of the ballot, higher than that of the last write of the same number.
    func put(_ number: Int, counter: UInt64, in engine: StorageEngine, _ done: @escaping @Sendable () -> Void) {
        let blob = BlobID.random()
        let etag = "0123456789abcdef0123456789abcdef"
        let record = ObjectRecord(
            version: 1, size: UInt64(bytes.readableBytes), etag: etag,
            headers: [HeaderField(name: "content-type", value: "image/jpeg")],
            blobs: [BlobReference(id: blob.bytes, size: UInt64(bytes.readableBytes), chunkSize: 0)], owner: "user")
        let summary = ListingSummary(size: UInt64(bytes.readableBytes), etag: etag)
        let stored = ReplicaRecord(bytes: record.encoded(), summary: summary.encoded(), blobs: [blob])
        let payload = BlobPayload(id: blob, content: CheckedBytes(bytes: bytes, checksum: checksum))
        commit(number, counter, stored, payload, in: engine, done)
    }

    func delete(_ number: Int, counter: UInt64, in engine: StorageEngine, _ done: @escaping @Sendable () -> Void) {
        commit(number, counter, ReplicaRecord(bytes: [], isTombstone: true), nil, in: engine, done)
    }

    private func commit(
        _ number: Int, _ counter: UInt64, _ record: ReplicaRecord, _ blob: BlobPayload?, in engine: StorageEngine,
        _ done: @escaping @Sendable () -> Void
    ) {
        let state = ReplicaState(
            tag: Ballot(counter: counter, writer: 1), sequence: counter, recentOperations: [.random()], record: record)
        engine.commit(Self.name(number), state, blob: blob) { result in
            guard case .success(let result) = result, result.outcome == .accepted else { fatalError("\(result)") }
            done()
        }
    }
}
