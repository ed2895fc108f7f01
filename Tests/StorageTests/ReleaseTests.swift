import Foundation
import Logging
import MetadataIndex
import Model
import Observability
import Register
import Ring
import Testing
import Wire

@testable import Storage

@Suite final class ReleaseTests {
    private let path = NSTemporaryDirectory() + "release-" + UUID().uuidString
    private var engine: StorageEngine?
    private let blob = BlobID(high: 8, low: 1)

    init() throws { engine = try open() }

    deinit {
        engine?.stop()
        try? FileManager.default.removeItem(atPath: path)
    }

    private func open() throws -> StorageEngine {
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
        var options = StorageEngine.Options(
            node: "storage-1", dataDirectory: path, disks: (1...2).map { "\(path)/disk-\($0)" })
        options.segmentSize = 4 << 20
        options.indexMemory = 16 << 20
        return try StorageEngine(
            options, metrics: MetricsRegistry(),
            logger: Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() }))
    }

    private func reopen(losingIndex: Bool) throws -> StorageEngine {
        engine?.stop()
        engine = nil
        if losingIndex {
            for disk in 1...2 { try FileManager.default.removeItem(atPath: "\(path)/disk-\(disk)/index") }
        }
        let opened = try open()
        engine = opened
        return opened
    }

    private func put(_ engine: StorageEngine, _ index: UInt32, origin: ChunkOrigin? = nil) throws -> Bool {
        try Pending.of {
            engine.putChunk(
                ChunkName(blob: blob, index: index), BlobPayload("chunk \(index)", id: 0).content, origin: origin, $0)
        }
    }

    @Test("A chunk remembers its owner and its first writing, over a restart")
    func origin() throws {
        let origin = ChunkOrigin(owner: name("photo"), writtenMilliseconds: 1_700_000_000_000)
        #expect(try put(engine!, 0, origin: origin) == false)
        _ = try put(engine!, 1)
        let engine = try reopen(losingIndex: true)
        let chunk = ChunkName(blob: blob, index: 0)
        let probed = try engine.chunk(chunk, probe: true, withOrigin: true)
        #expect(probed == ChunkAnswer(size: 7, content: nil, origin: origin))
        #expect(try engine.chunk(chunk, offset: 6).origin == nil)
        let unowned = try engine.chunk(ChunkName(blob: blob, index: 1), withOrigin: true)
        #expect(unowned.origin?.owner == nil)
        #expect(try #require(unowned.origin).writtenMilliseconds > 1_700_000_000_000)
    }

    @Test("Dropped chunks are gone for good, are not taken again, and dropping them twice changes nothing")
    func drop() throws {
        let ring = RingTable(
            epoch: 1, hashKey: Array(0..<16), partitions: Array(repeating: .init(current: ["storage-1"]), count: 8))!
        let before = try engine!.digests(ring)
        for index in UInt32(0)..<20 { #expect(try put(engine!, index) == false) }
        #expect(try Pending.of { engine!.dropChunks(blob, 0..<30, $0) } == 20)
        #expect(try Pending.of { engine!.dropChunks(blob, 0..<30, $0) } == 0)
        #expect(try engine!.digests(ring) == before)
        for losingIndex in [false, true] {
            let engine = try reopen(losingIndex: losingIndex)
            for index in [UInt32(0), 7, 25] {
                #expect(throws: StorageError.notFound("chunk \(index) of \(blob) was dropped")) {
                    try put(engine, index)
                }
                #expect(throws: StorageError.self) { try engine.chunk(ChunkName(blob: blob, index: index)) }
            }
            #expect(try put(engine, 30 + (losingIndex ? 1 : 0)) == false)
        }
    }

    @Test("The number of chunks in one request is limited")
    func limit() {
        for chunks in [UInt32(0)..<0, 0..<UInt32(StorageEngine.droppedChunksMax) + 1] {
            #expect(throws: StorageError.self) { try Pending.of { self.engine!.dropChunks(self.blob, chunks, $0) } }
        }
    }

    @Test("Overwritten content in chunks is told of until it is forgotten, page by page over all disks")
    func releases() throws {
        let engine = engine!
        for number in UInt64(1)...10 {
            try write(engine, "key \(number)", 2 * number, blob: number)
            try write(engine, "key \(number)", 2 * number + 1, blob: nil)
        }
        #expect(engine.releaseCount == 10)
        #expect(try engine.releases(after: [], limit: 10, ageMilliseconds: 3_600_000).isEmpty)
        var found: [NodeRelease] = []
        while true {
            let page = try engine.releases(after: found.last?.id ?? [], limit: 3)
            if page.isEmpty { break }
            found += page
        }
        #expect(Set(found.map(\.release.name)) == Set((1...10).map { name("key \($0)") }))
        #expect(Set(found.flatMap { $0.release.blobs.map(\.id) }) == Set((1...10).map { BlobID(high: 9, low: $0) }))
        try engine.forgetReleases(found.dropLast().map(\.id))
        #expect(try engine.releases(after: [], limit: 100).map(\.id) == [found[9].id])
    }

    /// A register whose content is in chunks, or empty.
    private func write(_ engine: StorageEngine, _ key: String, _ counter: UInt64, blob: UInt64?) throws {
        let blobs = blob.map {
            [BlobReference(id: BlobID(high: 9, low: $0).bytes, size: 3 << 20, chunkSize: 1 << 20)]
        }
        let state = ReplicaState(
            tag: ballot(counter), sequence: counter, recentOperations: [],
            record: ReplicaRecord(bytes: ObjectRecord(version: 1, blobs: blobs ?? []).encoded()))
        let result = try Pending.of { engine.commit(name(key), state, $0) }
        #expect(result.outcome == .accepted)
    }

    @Test("A cursor goes on behind it on every disk, each with its own ids")
    func cursors() {
        let disks = [DiskID(high: 1, low: 0), DiskID(high: 2, low: 0)]
        let local: [UInt8] = Array(repeating: 0, count: 14) + [1, 0]
        let cursor = ReleaseID.make(local, disks[0])
        #expect(ReleaseID.localCursor(behind: cursor, on: disks[0]) == local)
        #expect(
            ReleaseID.localCursor(behind: cursor, on: disks[1]) == Array(repeating: 0, count: 14) + [0, 0xff])
        #expect(ReleaseID.localCursor(behind: [], on: disks[0]) == [])
        #expect(
            ReleaseID.localCursor(
                behind: ReleaseID.make(Array(repeating: 0, count: 16), disks[0]), on: disks[1]) == [])
        #expect(ReleaseID.local(cursor, on: disks[1]) == nil)
    }
}
