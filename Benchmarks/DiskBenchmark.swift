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
            Without --load the folder of an earlier --keep is opened. --crash ends the process without a stop after the \
            load, so that the next opening has to replay.
            """)

    @Option(help: "The folder; it stays when --keep or --crash is given.") var path: String
    @Option(help: "Objects to write; 0: none.") var load = 0
    @Option(help: "Bytes of each object's content.") var size = 64
    @Option(help: "Writes under way at a time.") var writers = 256
    @Option(help: "Memory of the index, in MiB.") var memory = 256
    @Flag(help: "Leave the folder.") var keep = false
    @Flag(help: "End as if killed after the load.") var crash = false

    func run() throws {
        if load > 0 {
            let engine = try open()
            try write(engine)
            if crash { _exit(0) }
            let (_, seconds) = measured { engine.stop() }
            show(String(format: "stop: %.2f s", seconds))
        }
        for _ in 0..<2 {
            let (engine, seconds) = try measured { try open() }
            show(String(format: "open: %.2f s, resident %.0f MiB", seconds, ProcessMemory.residentMebibytes))
            let (_, stopping) = measured { engine.stop() }
            show(String(format: "stop: %.2f s", stopping))
        }
        if !keep { try FileManager.default.removeItem(atPath: path) }
    }

    private func open() throws -> StorageEngine {
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
        var options = StorageEngine.Options(node: "benchmark", dataDirectory: path, disks: [path + "/disk-1"])
        options.indexMemory = memory << 20
        return try StorageEngine(options, metrics: MetricsRegistry(), logger: Logger(label: "benchmark"))
    }

    private func write(_ engine: StorageEngine) throws {
        let content = DiskContent(size: size)
        let outcome = try Outstanding(width: writers) { number, done in
            content.put(number, counter: UInt64(number) + 1, in: engine, done)
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
        let state = ReplicaState(
            tag: Ballot(counter: counter, writer: 1), sequence: counter, recentOperations: [.random()],
            record: ReplicaRecord(bytes: record.encoded(), summary: summary.encoded(), blobs: [blob]))
        let payload = BlobPayload(id: blob, content: CheckedBytes(bytes: bytes, checksum: checksum))
        engine.commit(Self.name(number), state, blob: payload) { result in
            guard case .success(let result) = result, result.outcome == .accepted else { fatalError("\(result)") }
            done()
        }
    }
}
