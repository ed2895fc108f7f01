import AccessTestKit
import Model
import ObjectAccess
import Register
import Testing

@Suite struct ListerTests {
    private func query(
        prefix: String = "", delimiter: String = "", limit: Int = 1000, after: ListPosition? = nil,
        until: String = "", direction: ListDirection = .forward, withRecords: Bool = false
    ) -> ListQuery {
        ListQuery(
            bucket: bucket, prefix: Array(prefix.utf8), after: after, until: Array(until.utf8), direction: direction,
            delimiter: Array(delimiter.utf8), limit: limit,
            withRecords: withRecords)
    }

    private func texts(_ page: ListPage) -> [String] {
        page.entries.map {
            switch $0 {
            case .key(let key, _, _): String(decoding: key, as: UTF8.self)
            case .commonPrefix(let prefix): String(decoding: prefix, as: UTF8.self) + "…"
            }
        }
    }

    @Test("Keys, summaries and records")
    func simple() async throws {
        let cluster = FakeStorageCluster()
        let client = cluster.makeClient()
        for key in ["b", "a", "c"] { try await client.put(key, "text \(key)") }
        try await client.delete("b")
        let page = try await Lister(client).list(query(withRecords: true))
        #expect(texts(page) == ["a", "c"])
        #expect(!page.truncated && page.next == nil)
        #expect(
            page.entries.first
                == .key(Array("a".utf8), summary: Array("summary of text a".utf8), record: Array("text a".utf8)))
    }

    @Test("Prefix and delimiter, as a directory is read")
    func delimiter() async throws {
        let cluster = FakeStorageCluster()
        let client = cluster.makeClient()
        for key in ["a", "d/1", "d/2", "d/e/3", "f/", "z"] { try await client.put(key, "x") }
        let lister = Lister(client)
        #expect(texts(try await lister.list(query(delimiter: "/"))) == ["a", "d/…", "f/…", "z"])
        #expect(texts(try await lister.list(query(prefix: "d/", delimiter: "/"))) == ["d/1", "d/2", "d/e/…"])
        #expect(texts(try await lister.list(query(prefix: "d"))) == ["d/1", "d/2", "d/e/3"])
    }

    @Test("Pages end exactly, and go on behind a common prefix")
    func pages() async throws {
        let cluster = FakeStorageCluster()
        let client = cluster.makeClient()
        for key in ["a", "d/1", "d/2", "z"] { try await client.put(key, "x") }
        let lister = Lister(client)
        let first = try await lister.list(query(delimiter: "/", limit: 2))
        #expect(texts(first) == ["a", "d/…"] && first.truncated)
        let second = try await lister.list(query(delimiter: "/", limit: 2, after: first.next))
        #expect(texts(second) == ["z"] && !second.truncated)
        #expect(try await !lister.list(query(delimiter: "/", limit: 3)).truncated)
    }

    @Test("A dead node never fails a listing; two do", arguments: [3, 5])
    func deadNode(nodes: Int) async throws {
        let cluster = FakeStorageCluster(nodes: nodes)
        let client = cluster.makeClient()
        for index in 0..<20 { try await client.put("k\(index)", "x") }
        cluster.set("storage-1", .down)
        #expect(try await Lister(client).list(query()).entries.count == 20)
        cluster.set("storage-1", .silent)
        #expect(try await Lister(client).list(query()).entries.count == 20)
        cluster.set("storage-2", .down)
        await #expect(throws: AccessError.self) { try await Lister(client).list(query()) }
    }

    @Test("A delete that one node has not seen holds in the listing")
    func unseenDelete() async throws {
        let cluster = FakeStorageCluster()
        let client = cluster.makeClient()
        for key in ["d/1", "d/2", "e/1", "k"] { try await client.put(key, "x") }
        #expect(await eventually { cluster.states("k").allSatisfy { $0 != nil } })
        cluster.set("storage-2", .down)
        for key in ["d/1", "e/1", "k"] { try await client.delete(key) }
        cluster.set("storage-2", .up)
        for down in cluster.names where down != "storage-2" {
            cluster.set(down, .down)
            let lister = Lister(cluster.makeClient(writer: 3))
            #expect(texts(try await lister.list(query())) == ["d/2"])
            #expect(texts(try await lister.list(query(delimiter: "/"))) == ["d/…"])
            cluster.set(down, .up)
        }
    }

    @Test("A write that reached one replica is settled before it is shown")
    func halfWritten() async throws {
        let cluster = FakeStorageCluster()
        cluster.plant("k", state("new", counter: 3), at: ["storage-1"])
        cluster.set("storage-3", .down)
        let page = try await Lister(cluster.makeClient()).list(query())
        #expect(texts(page) == ["k"])
        #expect(cluster.states("k").count { $0 != nil } >= 2, "finished by a round before it was shown")
    }

    @Test("Pages to the end equal the model, under deletes and a dead node", arguments: 1...6 as ClosedRange<UInt64>)
    func equalsModel(seed: UInt64) async throws {
        let cluster = FakeStorageCluster(nodes: seed % 2 == 0 ? 3 : 5, seed: seed)
        // Some nodes cut their answers short at almost every key.
        for (index, node) in cluster.names.enumerated() {
            cluster.change(node) { $0.listingLookedAtMax = [.max, 1, 3][(index + Int(seed)) % 3] }
        }
        let client = cluster.makeClient()
        var random = SplitMix(state: seed)
        var model: Set<String> = []
        for step in 0..<120 {
            if step % 40 == 20 { cluster.set("storage-1", .down) }
            if step % 40 == 39 { cluster.set("storage-1", .up) }
            let key = (0..<Int.random(in: 1...3, using: &random)).map { _ in
                ["a", "b", "é", "x"].randomElement(using: &random)!
            }.joined(separator: "/")
            if Bool.random(using: &random) {
                try await client.put(key, "x")
                model.insert(key)
            } else {
                try await client.delete(key)
                model.remove(key)
            }
        }
        for delimiter in ["", "/"] {
            for limit in [1, 3, 1000] {
                let forward = try await all(Lister(client), delimiter, limit, .forward)
                #expect(forward == expected(model, delimiter), "seed \(seed), delimiter \(delimiter), limit \(limit)")
                let backward = try await all(Lister(client), delimiter, limit, .backward)
                #expect(backward == forward.reversed(), "seed \(seed), delimiter \(delimiter), limit \(limit)")
            }
        }
    }

    @Test("A listing ends before its bound, in either direction", arguments: [ListDirection.forward, .backward])
    func bound(direction: ListDirection) async throws {
        let cluster = FakeStorageCluster()
        let client = cluster.makeClient()
        for key in ["a", "d/1", "d/2", "z"] { try await client.put(key, "x") }
        func listed(until: String, delimiter: String = "") async throws -> [String] {
            texts(try await Lister(client).list(query(delimiter: delimiter, until: until, direction: direction)))
        }
        let isForward = direction == .forward
        #expect(try await listed(until: "d/2") == (isForward ? ["a", "d/1"] : ["z"]))
        #expect(try await listed(until: "d/1", delimiter: "/") == (isForward ? ["a"] : ["z", "d/…"]))
        #expect(try await listed(until: "d/2", delimiter: "/") == (isForward ? ["a", "d/…"] : ["z"]))
    }

    @Test("A page over thousands of tombstones takes few messages", arguments: ["", "/"])
    func tombstones(delimiter: String) async throws {
        let cluster = FakeStorageCluster()
        plantTombstones(cluster, at: cluster.names)
        for limit in [1, 1000] {
            let before = cluster.sent(.list)
            let page = try await Lister(cluster.makeClient()).list(query(delimiter: delimiter, limit: limit))
            #expect(texts(page) == Array((delimiter.isEmpty ? ["a", "d/x", "z"] : ["a", "d/…", "z"]).prefix(limit)))
            #expect(page.truncated == (limit == 1))
            #expect(cluster.sent(.list) - before <= 3 * (2000 / 250 + 2))
        }
        #expect(cluster.sent(.read) == 0)
    }

    @Test("Thousands of deletes that one node has missed are not settled one by one", arguments: [1, 1000])
    func missedDeletes(limit: Int) async throws {
        let cluster = FakeStorageCluster()
        plantTombstones(cluster, at: ["storage-1", "storage-2"])
        for number in 0..<2000 { cluster.plant("d/\(10_000 + number)", state("old", counter: 1), at: ["storage-3"]) }
        let page = try await Lister(cluster.makeClient()).list(query(prefix: "d/", limit: limit))
        #expect(texts(page) == ["d/x"])
        #expect(cluster.sent(.read) < 400)
        #expect(cluster.sent(.list) < 3 * (2 * 2000 / 250 + 4))
        let rolled = try await Lister(cluster.makeClient()).list(query(delimiter: "/", limit: limit))
        #expect(texts(rolled) == Array(["a", "d/…", "z"].prefix(limit)))
    }

    /// 2,000 deleted keys below d/ among live ones, at nodes that look at 250 keys for an answer.
    private func plantTombstones(_ cluster: FakeStorageCluster, at nodes: [NodeName]) {
        for key in ["a", "d/x", "z"] { cluster.plant(key, state("x", counter: 2), at: cluster.names) }
        for number in 0..<2000 { cluster.plant("d/\(10_000 + number)", state(nil, counter: 5), at: nodes) }
        for node in cluster.names { cluster.change(node) { $0.listingLookedAtMax = 250 } }
    }

    private func all(
        _ lister: Lister, _ delimiter: String, _ limit: Int, _ direction: ListDirection
    ) async throws -> [String] {
        var found: [String] = []
        var next: ListPosition?
        repeat {
            let page = try await lister.list(
                query(delimiter: delimiter, limit: limit, after: next, direction: direction))
            #expect(page.entries.count <= limit)
            #expect(page.truncated == (page.next != nil))
            found += texts(page)
            next = page.next
        } while next != nil
        return found
    }

    private func expected(_ keys: Set<String>, _ delimiter: String) -> [String] {
        let sorted = keys.sorted { Array($0.utf8).lexicographicallyPrecedes(Array($1.utf8)) }
        guard !delimiter.isEmpty else { return sorted }
        var shown: [String] = []
        for key in sorted {
            let entry = key.firstIndex(of: "/").map { String(key[...$0]) + "…" } ?? key
            if shown.last != entry { shown.append(entry) }
        }
        return shown
    }
}
