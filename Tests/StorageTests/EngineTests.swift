import Foundation
import Logging
import MetadataIndex
import Model
import Observability
import Register
import Ring
import Synchronization
import Testing
import Threads
import Wire

@testable import Storage

@Suite final class EngineTests {
    private let path = NSTemporaryDirectory() + "engine-" + UUID().uuidString

    deinit { try? FileManager.default.removeItem(atPath: path) }

    private func open(_ node: String = "storage-1", disks: Int = 2) throws -> StorageEngine {
        let home = path + "/" + node
        try FileManager.default.createDirectory(atPath: home, withIntermediateDirectories: true)
        var options = StorageEngine.Options(
            node: .init(node), dataDirectory: home, disks: (1...disks).map { "\(home)/disk-\($0)" })
        options.segmentSize = 4 << 20
        options.indexMemory = 16 << 20
        return try StorageEngine(
            options, metrics: MetricsRegistry(),
            logger: Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() }))
    }

    /// Stops the engine and opens its node again. Indexes are closed with their last owner, so nobody may keep the old one.
    private func reopen(_ engine: inout StorageEngine?, _ node: String = "storage-1") throws -> StorageEngine {
        engine?.stop()
        engine = nil
        let fresh = try open(node)
        engine = fresh
        return fresh
    }

    private func put(_ engine: StorageEngine, _ key: String, _ counter: UInt64, deleted: Bool = false) throws {
        let result = try Pending.of { engine.commit(name(key), .sample(counter, deleted: deleted), $0) }
        #expect(result.outcome == .accepted)
    }

    private let ring = RingTable(
        epoch: 1, hashKey: Array(0..<16), partitions: Array(repeating: .init(current: ["storage-1"]), count: 8))!

    @Test("A listing merges the disks in order, with tombstones, common prefixes once, page by page")
    func listing() throws {
        let engine = try open()
        defer { engine.stop() }
        for (number, key) in ["a/1", "a/2", "b", "c/1", "c/2", "d"].enumerated() {
            try put(engine, key, UInt64(number + 1), deleted: key == "b")
        }
        let bucket = name("").bucket
        var found: [String] = []
        var after: [UInt8] = []
        while true {
            let page = try engine.list(IndexQuery(bucket: bucket, after: after, limit: 2))
            found += page.entries.map { String(decoding: $0.key, as: UTF8.self) }
            guard page.isTruncated, let last = page.entries.last else { break }
            after = last.key
        }
        #expect(found == ["a/1", "a/2", "b", "c/1", "c/2", "d"])
        let rolled = try engine.list(IndexQuery(bucket: bucket, delimiter: Array("/".utf8), limit: 100))
        #expect(rolled.entries.map { String(decoding: $0.key, as: UTF8.self) } == ["a/", "b", "c/", "d"])
        guard case .commonPrefix(_, let witness, _)? = rolled.entries.first else {
            Issue.record("no common prefix")
            return
        }
        #expect(witness == Array("a/1".utf8))
        guard case .register(_, let tombstone) = rolled.entries[1] else {
            Issue.record("no tombstone")
            return
        }
        #expect(tombstone.isTombstone)
    }

    @Test("Pages of disks that were cut off are merged only up to where all of them can speak")
    func mergeOfTruncatedPages() {
        func page(_ keys: [String], truncated: Bool) -> IndexPage {
            var page = IndexPage()
            page.entries = keys.map { .register(key: Array($0.utf8), RegisterValue(tag: ballot(1))) }
            if truncated { page.end = page.entries.last?.position }
            return page
        }
        let merged = StorageEngine.merge(
            [page(["a", "c"], truncated: true), page(["b", "x"], truncated: false)], limit: 10)
        #expect(merged.entries.map(\.key) == ["a", "b", "c"].map { Array($0.utf8) })
        #expect(merged.isTruncated)
        let backwards = StorageEngine.merge(
            [page(["x", "c"], truncated: true), page(["y", "b"], truncated: false)], limit: 10, .backward)
        #expect(backwards.entries.map(\.key) == ["y", "x", "c"].map { Array($0.utf8) })
        #expect(backwards.isTruncated)
    }

    @Test("Where one disk was cut off inside a common prefix, another's witness counts only up to there")
    func mergeInsideCommonPrefix() {
        func page(witness: String?, end: String?) -> IndexPage {
            var page = IndexPage()
            if let witness {
                page.entries = [.commonPrefix(Array("p/".utf8), witness: Array(witness.utf8), tag: ballot(1))]
            }
            page.end = end.map { ListPosition(key: Array($0.utf8)) }
            return page
        }
        let early = StorageEngine.merge([page(witness: nil, end: "p/5"), page(witness: "p/3", end: nil)], limit: 10)
        #expect(early.entries.map(\.evidence) == [Array("p/3".utf8)])
        #expect(early.end == ListPosition(key: Array("p/5".utf8)))
        let late = StorageEngine.merge([page(witness: nil, end: "p/5"), page(witness: "p/7", end: nil)], limit: 10)
        #expect(late.entries.isEmpty)
        #expect(late.end == ListPosition(key: Array("p/5".utf8)))
        var whole = page(witness: "p/7", end: nil)
        whole.end = ListPosition(key: Array("p/".utf8), isPrefix: true)
        #expect(StorageEngine.merge([page(witness: nil, end: "p/5"), whole], limit: 10) == late)
    }

    @Test("Hints are kept until they are forgotten, over restarts, and somebody is told of new ones")
    func hints() throws {
        var current: StorageEngine? = try open()
        let told = Monitor(0)
        let kept = try noteThreeHints(current!, told)
        let engine = try reopen(&current)
        defer { engine.stop() }
        #expect(try engine.hints(after: 0, limit: 10).map(\.id) == [kept])
        #expect(engine.hintCount == 1)
    }

    /// Notes three hints and forgets two; returns the id of the one that is left.
    private func noteThreeHints(_ engine: StorageEngine, _ told: Monitor<Int>) throws -> UInt64 {
        engine.onHints { count in
            told.withLock { $0 += count }
            told.wake()
        }
        let hints = (1...3).map { Hint(missed: "storage-\($0)", name: .init(name("k"))).encoded() }
        _ = try Pending.of { engine.noteHints(hints, $0) }
        told.waiting { told, waiter in while told.pointee < 3 { waiter.wait() } }
        #expect(engine.hintCount == 3)
        let all = try engine.hints(after: 0, limit: 10)
        #expect(all.map(\.hint) == hints)
        #expect(try engine.hints(after: all[0].id, limit: 1).map(\.hint) == [hints[1]])
        _ = try Pending.of { engine.forgetHints([all[0].id, all[2].id], $0) }
        return all[1].id
    }

    @Test("Equal content has equal digests, whatever the order and the disks; each change changes one partition")
    func digests() throws {
        let one = try open("storage-1", disks: 1)
        var second: StorageEngine? = try open("storage-2")
        let after = try compare(one, second!)
        #expect(try reopen(&second, "storage-2").digests(ring) == after)
        one.stop()
        second?.stop()
    }

    /// Fills both with the same and compares; changes one key of the second and returns its digests.
    private func compare(_ one: StorageEngine, _ two: StorageEngine) throws -> [PartitionDigests.Digest] {
        let keys = (1...40).map { "key \($0)" }
        for (number, key) in keys.enumerated() { try put(one, key, UInt64(number + 1)) }
        // The digests of the second node follow every change from the first on.
        _ = try two.digests(ring)
        for (number, key) in keys.enumerated().reversed() { try put(two, key, UInt64(number + 1)) }
        let chunk = ChunkName(blob: BlobID(high: 1, low: 1), index: 0)
        for engine in [one, two] { _ = try Pending.of { engine.putChunk(chunk, BlobPayload("x", id: 0).content, $0) } }
        let before = try one.digests(ring)
        let same = try two.digests(ring)
        #expect(before == same)
        #expect(before.reduce(0) { $0 + $1.registerCount } == 40)
        #expect(before.reduce(0) { $0 + $1.chunkCount } == 1)
        try put(two, "key 5", 100)
        let after = try two.digests(ring)
        #expect(before.indices.filter { before[$0] != after[$0] } == [ring.partition(of: name("key 5"))])
        return after
    }

    @Test("A walk over the partitions meets every register and chunk once")
    func partitions() throws {
        let engine = try open()
        defer { engine.stop() }
        for number in 1...30 { try put(engine, "key \(number)", UInt64(number)) }
        let chunks = (0..<10).map { ChunkName(blob: BlobID(high: 1, low: 1), index: $0) }
        for chunk in chunks { _ = try Pending.of { engine.putChunk(chunk, BlobPayload("x", id: 0).content, $0) } }
        var names: [Model.RegisterName] = []
        var found: [ChunkName] = []
        for partitions in [Set(0..<3), Set(3..<8)] {
            var cursor: [UInt8]?
            repeat {
                let page = try engine.registers(ofPartitions: partitions, ring: ring, after: cursor, limit: 2)
                names += page.entries.map(\.name)
                cursor = page.next
            } while cursor != nil
            repeat {
                let page = try engine.chunks(ofPartitions: partitions, ring: ring, after: cursor, limit: 2)
                found += page.entries
                cursor = page.next
            } while cursor != nil
        }
        #expect(names.sorted() == (1...30).map { name("key \($0)") }.sorted())
        #expect(found.sorted { $0.index < $1.index } == chunks)
    }

    @Test(
        "A disk that is configured additionally is added, one that is not configured any more goes on, also a used one")
    func changedDisks() throws {
        try open(disks: 2).stop()
        for disks in [3, 2] {
            let engine = try open(disks: disks)
            defer { engine.stop() }
            #expect(engine.disks.count == 3)
        }
        // Its log may be anybody's.
        try open("storage-2", disks: 1).stop()
        try FileManager.default.moveItem(atPath: path + "/storage-2/disk-1", toPath: path + "/storage-1/disk-4")
        #expect(throws: StorageError.self) { try open(disks: 4) }
    }

    @Test("A disk that cannot be opened is left out, the others serve")
    func brokenDisk() throws {
        try open(disks: 2).stop()
        let log = path + "/storage-1/disk-2/log"
        try FileManager.default.removeItem(atPath: log)
        try Data("not a directory".utf8).write(to: URL(fileURLWithPath: log))
        let engine = try open(disks: 2)
        defer { engine.stop() }
        let results = (1...20).map { key in (try? put(engine, "key \(key)", 1)) != nil }
        #expect(results.contains(true))
        #expect(results.contains(false))
        #expect(throws: StorageError.self) { try engine.list(IndexQuery(bucket: name("").bucket, limit: 1)) }
    }
}
