import Foundation
import GRDB
import Synchronization
import Testing

@testable import ClusterStore

@Suite("SQLite cluster store")
struct SQLiteClusterStoreTests {
    private let conformance: Conformance

    init() throws { conformance = Conformance(store: try SQLiteClusterStore(path: ":memory:")) }

    @Test("Reads what was written") func reads() async throws { try await conformance.readsWhatWasWritten() }
    @Test("Ranges are ordered by bytes") func ranges() async throws { try await conformance.rangesAreOrderedByBytes() }
    @Test("A transaction applies whole or not at all") func transactions() async throws {
        try await conformance.transactionsApplyWholeOrNotAtAll()
    }
    @Test("A transaction that changes nothing keeps the revision") func nothing() async throws {
        try await conformance.changingNothingKeepsTheRevision()
    }
    @Test("Of concurrent transactions with one condition, one wins") func concurrent() async throws {
        try await conformance.concurrentComparesLetOneThrough()
    }
    @Test("A watch tells past and coming changes, deletions too") func watch() async throws {
        try await conformance.watchTellsPastAndComingChanges()
    }
    @Test("A watch from a compacted revision says so") func compacted() async throws {
        try await conformance.compactedHistoryIsSaid()
    }
    @Test("Entries end with their lease") func leases() async throws {
        try await conformance.leasesEndWithTheirEntries()
    }
    @Test("Closing ends watches") func closing() async throws { try await conformance.closingEndsWatches() }
}

@Suite("SQLite cluster store on disk")
struct SQLiteFileTests {
    private let folder: URL
    private var path: String { folder.appendingPathComponent("state.sqlite").path }

    init() throws {
        folder = FileManager.default.temporaryDirectory.appendingPathComponent("martlet-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    }

    /// The files as a crash would leave them: copied while the store is open, without a checkpoint.
    private func crashImage() throws -> String {
        let image = folder.appendingPathComponent("image-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: image, withIntermediateDirectories: true)
        for name in try FileManager.default.contentsOfDirectory(atPath: folder.path) where name.hasPrefix("state.") {
            guard !name.hasSuffix("-shm") else { continue }
            try FileManager.default.copyItem(
                at: folder.appendingPathComponent(name), to: image.appendingPathComponent(name))
        }
        return image.appendingPathComponent("state.sqlite").path
    }

    @Test("Every commit is synced: the library's own choice for this journal would sync at checkpoints only")
    func synced() throws {
        let store = try SQLiteClusterStore(path: path)
        let mode = try store.queue.read { try Int.fetchOne($0, sql: "PRAGMA synchronous") }
        #expect(mode == 2)
    }

    @Test("Every acknowledged change is there after a crash, with its history")
    func crash() async throws {
        let store = try SQLiteClusterStore(path: path)
        for index in 0..<50 {
            _ = try await store.commit(
                StoreTransaction([.put(key: "k\(index % 7)", value: [UInt8(index)], lease: nil)]))
        }
        _ = try await store.commit(StoreTransaction([.delete(key: "k0")]))
        let survivor = try SQLiteClusterStore(path: crashImage())
        #expect(try await survivor.range(.all) == store.range(.all))
        var watch = survivor.watch(.all, after: 0).makeAsyncIterator()
        let changes = try #require(try await watch.next())
        #expect(changes.count == 51 && changes.last == StoreChange(key: "k0", value: nil, revision: 51))
        try FileManager.default.removeItem(at: folder)
    }

    @Test("A file of another program, and one of a newer version, are refused")
    func foreign() async throws {
        try Data(repeating: 7, count: 8192).write(to: URL(fileURLWithPath: path))
        #expect(throws: StoreError.self) { try SQLiteClusterStore(path: path) }
        try FileManager.default.removeItem(atPath: path)
        let store = try SQLiteClusterStore(path: path)
        try await store.queue.write { try $0.execute(sql: "PRAGMA user_version = 2") }
        try await store.close()
        #expect(throws: StoreError.foreignFormat("\(path) has version 2, this program knows 1")) {
            try SQLiteClusterStore(path: path)
        }
        try FileManager.default.removeItem(at: folder)
    }

    @Test("A store that is filled from elsewhere goes on with greater revisions; one that was used is not filled")
    func filled() async throws {
        let store = try SQLiteClusterStore(path: path)
        let entries = [StoreEntry(key: "a", value: [1], revision: 3), StoreEntry(key: "b", value: [2], revision: 9)]
        try await store.fill(with: entries, after: 900)
        let snapshot = try await store.range(.all)
        #expect(snapshot.revision == 901 && snapshot.entries.map(\.value) == [[1], [2]])
        var old = store.watch(.all, after: 900).makeAsyncIterator()
        await #expect(throws: StoreError.compacted(oldest: 901)) { try await old.next() }
        await #expect(throws: StoreError.foreignFormat("the store is not empty")) {
            try await store.fill(with: entries, after: 2_000)
        }
        #expect(try await store.range(.all) == snapshot)
        try FileManager.default.removeItem(at: folder)
    }

    @Test("The history is bounded")
    func history() async throws {
        var options = SQLiteClusterStore.Options()
        options.historyMax = 20
        let store = try SQLiteClusterStore(path: ":memory:", options: options)
        for index in 0..<60 {
            _ = try await store.commit(StoreTransaction([.put(key: "k", value: [UInt8(index)], lease: nil)]))
        }
        let kept = try await store.queue.read { try Int.fetchOne($0, sql: "SELECT count(*) FROM changes") ?? 0 }
        #expect((20...24).contains(kept))
        try FileManager.default.removeItem(at: folder)
    }

    @Test("A lease that is not renewed ends at its time, and begins anew when the store opens")
    func leaseExpiry() async throws {
        let clock = Mutex<Int64>(1_000_000)
        var options = SQLiteClusterStore.Options()
        options.now = { clock.withLock { $0 } }
        let store = try SQLiteClusterStore(path: path, options: options)
        let lease = try await store.grantLease(seconds: 10)
        _ = try await store.commit(StoreTransaction([.put(key: "leader", value: [1], lease: lease)]))
        clock.withLock { $0 += 9_000 }
        try await store.renewLease(lease)
        clock.withLock { $0 += 9_000 }
        #expect(try await store.get("leader") != nil)
        try await store.close()
        clock.withLock { $0 += 100_000 }
        let reopened = try SQLiteClusterStore(path: path, options: options)
        #expect(try await reopened.get("leader") != nil)
        clock.withLock { $0 += 10_000 }
        #expect(try await reopened.get("leader") == nil)
        try FileManager.default.removeItem(at: folder)
    }
}
