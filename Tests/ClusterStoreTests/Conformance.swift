import ClusterStore
import Testing

/// What every engine must do. An engine's test suite calls each of these with a fresh store.
struct Conformance {
    let store: any ClusterStore

    @discardableResult
    private func put(_ key: String, _ value: String, when conditions: [StoreTransaction.Condition] = []) async throws
        -> UInt64?
    {
        let transaction = StoreTransaction(
            when: conditions, [.put(key: key, value: Array(value.utf8), lease: nil)])
        guard case .committed(let revision) = try await store.commit(transaction) else { return nil }
        return revision
    }

    func readsWhatWasWritten() async throws {
        #expect(try await store.get("a") == nil)
        let revision = try #require(try await put("a", "1"))
        #expect(try await store.get("a") == StoreEntry(key: "a", value: Array("1".utf8), revision: revision))
        let next = try #require(try await put("a", ""))
        #expect(next > revision)
        #expect(try await store.get("a") == StoreEntry(key: "a", value: [], revision: next))
    }

    func rangesAreOrderedByBytes() async throws {
        for key in ["b/2", "b/10", "a", "c", "b", "b/ä", "b0"] { try await put(key, key) }
        let snapshot = try await store.range(KeyRange(prefix: "b/"))
        #expect(snapshot.entries.map(\.key) == ["b/10", "b/2", "b/ä"])
        #expect(!snapshot.truncated)
        #expect(try await store.range(.all).entries.map(\.key) == ["a", "b", "b/10", "b/2", "b/ä", "b0", "c"])
        let page = try await store.range(KeyRange(first: "b", end: "c"), limit: 2)
        #expect(page.entries.map(\.key) == ["b", "b/10"] && page.truncated)
        #expect(try await store.range(KeyRange(first: "", end: "")).entries.isEmpty)
    }

    func transactionsApplyWholeOrNotAtAll() async throws {
        let revision = try #require(try await put("a", "1"))
        let wrong = StoreTransaction(
            when: [.absent(key: "b"), .revision(key: "a", is: revision + 1)],
            [.put(key: "b", value: [1], lease: nil), .delete(key: "a")])
        #expect(try await store.commit(wrong) == .conflict(revision: revision))
        #expect(try await store.get("b") == nil)
        let right = StoreTransaction(
            when: [.absent(key: "b"), .revision(key: "a", is: revision)],
            [.put(key: "b", value: [1], lease: nil), .delete(key: "a")])
        #expect(try await store.commit(right) == .committed(revision: revision + 1))
        #expect(try await store.get("a") == nil)
        #expect(try await store.get("b")?.revision == revision + 1)
        #expect(try await put("b", "2", when: [.absent(key: "b")]) == nil)
    }

    func changingNothingKeepsTheRevision() async throws {
        let revision = try #require(try await put("a", "1"))
        #expect(try await store.commit(StoreTransaction([.delete(key: "absent")])) == .committed(revision: revision))
        #expect(try await store.commit(StoreTransaction()) == .committed(revision: revision))
    }

    func concurrentComparesLetOneThrough() async throws {
        let winners = try await withThrowingTaskGroup(of: Bool.self) { group in
            for index in 0..<20 {
                group.addTask { try await put("leader", "\(index)", when: [.absent(key: "leader")]) != nil }
            }
            return try await group.reduce(0) { $0 + ($1 ? 1 : 0) }
        }
        #expect(winners == 1)
    }

    func watchTellsPastAndComingChanges() async throws {
        let first = try #require(try await put("w/a", "1"))
        try await put("other", "x")
        _ = try await store.commit(
            StoreTransaction([.put(key: "w/b", value: [2], lease: nil), .delete(key: "w/a")]))
        var watch = store.watch(KeyRange(prefix: "w/"), after: first - 1).makeAsyncIterator()
        var seen: [StoreChange] = []
        while seen.count < 3 { seen += try #require(try await watch.next()) }
        #expect(seen.map(\.key) == ["w/a", "w/b", "w/a"])
        #expect(seen.map(\.value) == [Array("1".utf8), [2], nil])
        #expect(seen[1].revision == seen[2].revision && seen[0].revision == first)
        async let next = watch.next()
        try await put("w/c", "3")
        #expect(try await next?.map(\.key) == ["w/c"])
    }

    func compactedHistoryIsSaid() async throws {
        try await put("a", "1")
        let last = try #require(try await put("a", "2"))
        try await store.compact(upTo: last)
        var old = store.watch(.all, after: 0).makeAsyncIterator()
        await #expect(throws: StoreError.compacted(oldest: last)) { try await old.next() }
        #expect(try await store.get("a")?.value == Array("2".utf8))
        try await put("a", "3")
        var present = store.watch(.all, after: last).makeAsyncIterator()
        #expect(try await present.next()?.map(\.revision) == [last + 1])
    }

    func leasesEndWithTheirEntries() async throws {
        let lease = try await store.grantLease(seconds: 60)
        _ = try await store.commit(StoreTransaction([.put(key: "leader", value: [1], lease: lease)]))
        #expect(try await store.get("leader")?.lease == lease)
        try await store.renewLease(lease)
        let before = try await store.range(.all).revision
        try await store.revokeLease(lease)
        #expect(try await store.get("leader") == nil)
        var watch = store.watch(.all, after: before).makeAsyncIterator()
        #expect(try await watch.next() == [StoreChange(key: "leader", value: nil, revision: before + 1)])
        await #expect(throws: StoreError.unknownLease) { try await store.renewLease(lease) }
        await #expect(throws: StoreError.unknownLease) {
            _ = try await store.commit(StoreTransaction([.put(key: "b", value: [], lease: lease)]))
        }
        #expect(try await store.get("b") == nil)
    }

    func closingEndsWatches() async throws {
        var watch = store.watch(.all, after: 0).makeAsyncIterator()
        async let end = watch.next()
        try await store.close()
        #expect(try await end == nil)
        await #expect(throws: StoreError.closed) { try await store.get("a") }
    }
}
