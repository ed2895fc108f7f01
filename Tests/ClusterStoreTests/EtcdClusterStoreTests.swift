import ClusterStore
import Foundation
import Logging
import Testing

@testable import EtcdStore

private let installed = EtcdCluster.program != nil

@Suite("etcd cluster store", .serialized, .enabled(if: installed, EtcdCluster.missing))
struct EtcdClusterStoreTests {
    /// Every engine's tests begin with a fresh store.
    private func conforms(_ body: (Conformance) async throws -> Void) async throws {
        let cluster = try await EtcdCluster.start(members: 1)
        let store = try await cluster.store()
        try await body(Conformance(store: store))
        try await store.close()
    }

    @Test("Reads what was written") func reads() async throws {
        try await conforms { try await $0.readsWhatWasWritten() }
    }
    @Test("Ranges are ordered by bytes") func ranges() async throws {
        try await conforms { try await $0.rangesAreOrderedByBytes() }
    }
    @Test("A transaction applies whole or not at all") func transactions() async throws {
        try await conforms { try await $0.transactionsApplyWholeOrNotAtAll() }
    }
    @Test("A transaction that changes nothing keeps the revision") func nothing() async throws {
        try await conforms { try await $0.changingNothingKeepsTheRevision() }
    }
    @Test("Of concurrent transactions with one condition, one wins") func concurrent() async throws {
        try await conforms { try await $0.concurrentComparesLetOneThrough() }
    }
    @Test("A watch tells past and coming changes, deletions too") func watch() async throws {
        try await conforms { try await $0.watchTellsPastAndComingChanges() }
    }
    @Test("A watch from a compacted revision says so") func compacted() async throws {
        try await conforms { try await $0.compactedHistoryIsSaid() }
    }
    @Test("Entries end with their lease") func leases() async throws {
        try await conforms { try await $0.leasesEndWithTheirEntries() }
    }
    @Test("Closing ends watches") func closing() async throws {
        try await conforms { try await $0.closingEndsWatches() }
    }

    @Test("A range of more than one page is whole, and a lease that nobody renews ends")
    func pagesAndExpiry() async throws {
        let cluster = try await EtcdCluster.start(members: 1)
        let store = try await cluster.store()
        for start in stride(from: 0, to: 2_500, by: 100) {
            let puts = (start..<start + 100).map {
                StoreTransaction.Operation.put(key: "k\(10_000 + $0)", value: [1], lease: nil)
            }
            _ = try await store.commit(StoreTransaction(puts))
        }
        let all = try await store.range(.all)
        #expect(all.entries.count == 2_500 && all.entries.map(\.key) == all.entries.map(\.key).sorted())
        let some = try await store.range(.all, limit: 1_500)
        #expect(some.entries.count == 1_500 && some.truncated)
        let lease = try await store.grantLease(seconds: 1)
        _ = try await store.commit(StoreTransaction([.put(key: "leader", value: [1], lease: lease)]))
        var watch = store.watch(KeyRange(prefix: "leader"), after: all.revision).makeAsyncIterator()
        #expect(try await watch.next()?.map(\.value) == [[1]])
        #expect(try await watch.next()?.map(\.value) == [nil])
        try await store.close()
    }

    @Test("Keys that are filled from elsewhere go on with greater revisions, and are whole before anybody opens them")
    func filled() async throws {
        struct Interrupted: Error {}
        let cluster = try await EtcdCluster.start(members: 1, opened: false)
        let logger = Logger(label: "etcd", factory: { _ in SwiftLogNoOpLogHandler() })
        let entries = (0..<250).map { StoreEntry(key: "k\(1_000 + $0)", value: [UInt8($0)], revision: 7) }
        let half = [StoreEntry(key: "left-over", value: [], revision: 1)]
        await #expect(throws: Interrupted.self) {
            try await EtcdClusterStore.fill(cluster.options(), with: half, after: 5, logger: logger) {
                throw Interrupted()
            }
        }
        await #expect(throws: StoreError.self) { _ = try await cluster.store() }
        try await EtcdClusterStore.fill(cluster.options(), with: entries, after: 9_000, logger: logger)
        let store = try await cluster.store()
        let snapshot = try await store.range(.all)
        #expect(snapshot.entries.map(\.key) == entries.map(\.key) && snapshot.revision > 9_000)
        #expect(snapshot.entries.allSatisfy { $0.revision > 9_000 && $0.revision <= snapshot.revision })
        var old = store.watch(.all, after: 8_999).makeAsyncIterator()
        await #expect(throws: StoreError.compacted(oldest: 9_000)) { try await old.next() }
        let first = snapshot.entries[0]
        let outcome = try await store.commit(
            StoreTransaction(when: [.revision(key: first.key, is: first.revision)], [.delete(key: first.key)]))
        #expect(outcome == .committed(revision: snapshot.revision + 1))
        await #expect(throws: StoreError.self) {
            try await EtcdClusterStore.fill(cluster.options(), with: entries, after: 9_000, logger: logger)
        }
        try await store.close()
    }

    @Test("Mutual TLS: a certificate of another authority is not let in")
    func mutualTLS() async throws {
        let cluster = try await EtcdCluster.start(members: 1, tls: true)
        let store = try await cluster.store()
        try await Conformance(store: store).transactionsApplyWholeOrNotAtAll()
        try await store.close()
        var options = cluster.options()
        options.tls?.certificate = cluster.folder.appendingPathComponent("stranger.pem").path
        options.tls?.key = cluster.folder.appendingPathComponent("stranger.key").path
        options.patience = .milliseconds(100)
        await #expect(throws: StoreError.self) {
            _ = try await EtcdClusterStore.open(options, logger: .init(label: "etcd"))
        }
    }

    @Test("Keys of a newer version are refused")
    func newer() async throws {
        let cluster = try await EtcdCluster.start(members: 1)
        try await cluster.store().close()
        let client = try EtcdClient(cluster.options(), logger: Logger(label: "etcd"))
        let newer = EtcdPut(key: base64(EtcdKeys(root: "/martlet/").format.utf8), value: base64("2".utf8))
        let _: EtcdTransactionAnswer = try await client.call(
            EtcdPath.transaction, EtcdTransactionRequest(success: [EtcdOperation(put: newer)]))
        client.close()
        await #expect(throws: StoreError.foreignFormat("/martlet/ has format 2, this program knows 1")) {
            _ = try await cluster.store()
        }
    }
}

@Suite("Three members of etcd", .serialized, .enabled(if: installed, EtcdCluster.missing))
struct ThreeEtcdMembersTests {
    /// Adds one to a counter, on the condition that nobody else did: a repetition that counts twice would show.
    private func increment(_ store: EtcdClusterStore) async throws -> Int {
        let entry = try await store.get("counter")
        let next = (entry.map { Int(String(decoding: $0.value, as: UTF8.self)) ?? 0 } ?? 0) + 1
        let condition: StoreTransaction.Condition =
            entry.map { .revision(key: "counter", is: $0.revision) } ?? .absent(key: "counter")
        let outcome = try await store.commit(
            StoreTransaction(
                when: [condition],
                [
                    .put(key: "counter", value: Array("\(next)".utf8), lease: nil),
                    .put(key: "log/\(next)", value: [1], lease: nil),
                ]))
        guard case .committed = outcome else {
            Issue.record("a transaction of the only writer conflicts: it was counted twice")
            return next
        }
        return next
    }

    @Test("The leader is killed, a member is paused: every acknowledged write is there once, and watches go on")
    func faults() async throws {
        let cluster = try await EtcdCluster.start(members: 3)
        let store = try await cluster.store()
        let watcher = try await cluster.store("watcher")
        let seen = Task {
            var revisions: [UInt64] = []
            for try await batch in watcher.watch(KeyRange(prefix: "log/"), after: 0) {
                revisions += batch.map(\.revision)
                if batch.contains(where: { $0.key == "log/end" }) { break }
            }
            return revisions
        }
        var done = 0
        for _ in 0..<50 { done = try await increment(store) }
        let leader = try #require(try await cluster.leader())
        cluster.killMember(leader)
        for _ in 0..<50 { done = try await increment(store) }
        try cluster.startMember(leader)
        let other = (leader + 1) % 3
        cluster.pauseMember(other)
        for _ in 0..<50 { done = try await increment(store) }
        cluster.continueMember(other)
        for _ in 0..<10 { done = try await increment(store) }
        #expect(done == 160)
        _ = try await store.commit(StoreTransaction([.put(key: "log/end", value: [], lease: nil)]))
        #expect(try await store.range(KeyRange(prefix: "log/")).entries.count == 161)
        let revisions = try await seen.value
        #expect(revisions.count == 161 && revisions == revisions.sorted())
        try await store.close()
        try await watcher.close()
    }

    @Test("Two of three members gone: calls fail in bounded time, and work again when one is back")
    func minority() async throws {
        let cluster = try await EtcdCluster.start(members: 3)
        var options = cluster.options()
        options.attemptTimeout = .milliseconds(300)
        options.patience = .milliseconds(900)
        let store = try await EtcdClusterStore.open(options, logger: .init(label: "etcd"))
        _ = try await increment(store)
        cluster.killMember(0)
        cluster.killMember(1)
        await #expect(throws: StoreError.self) { try await store.get("counter") }
        await #expect(throws: StoreError.self) {
            try await store.commit(StoreTransaction([.put(key: "lost", value: [], lease: nil)]))
        }
        try cluster.startMember(0)
        var again: Int?
        for _ in 0..<30 where again == nil { again = try? await increment(store) }
        #expect(again == 2)
        try await store.close()
    }
}
