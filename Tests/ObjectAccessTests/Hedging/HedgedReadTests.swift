import AccessTestKit
import Model
import NIOCore
import ObjectAccess
import Register
import Testing

/// Time passes in the fake cluster when nothing else is left to do: whoever waits for a silent node waits for a timer.
@Suite struct HedgedReadTests {
    @Test("Content that the first replica does not send comes from the next one, in the same round", arguments: 0..<3)
    func contentBesideSilence(silent: Int) async throws {
        let cluster = FakeStorageCluster(partitions: 1)
        let client = cluster.makeClient()
        try await client.put("a", "one", content: "the content")
        #expect(await eventually { cluster.names.allSatisfy { cluster.node($0).blobs.count == 1 } })
        let before = cluster.sent(.read)
        cluster.set(cluster.names[silent], .silent)
        #expect(try await client.read(name("a"), withBlob: true).blob == ByteBuffer(string: "the content"))
        #expect(cluster.sent(.read) <= before + 3)
    }

    @Test("Content that its holder does not send any more is got from another one")
    func fetchBesideSilence() async throws {
        let cluster = FakeStorageCluster(partitions: 1)
        let client = cluster.makeClient()
        let blob = BlobID.random()
        let stored = RegisterState(
            tag: Ballot(counter: 5, writer: 9), sequence: 1, recentOperations: [], record: record("one", blob: blob))
        cluster.plant("a", stored, at: cluster.names)
        for node in cluster.names { cluster.change(node) { $0.blobs[blob] = ByteBuffer(string: "the content") } }
        cluster.set("storage-1", .silent)
        #expect(try await client.fetchBlob(name: name("a"), blob: blob) == ByteBuffer(string: "the content"))
        #expect(cluster.sent(.read) == 2)
    }

    @Test("A silent node is asked last until it answers, and then as before")
    func suspectReturns() async throws {
        let cluster = FakeStorageCluster(partitions: 1)
        let client = cluster.makeClient { $0.avoidFor = .seconds(1000) }
        try await client.put("a", "one")
        #expect(await eventually { cluster.states("a").allSatisfy { $0 != nil } })
        cluster.set("storage-1", .silent)
        for _ in 0..<8 { _ = try await client.read(name("a")) }
        var before = cluster.sent(.read)
        for _ in 0..<5 { _ = try await client.read(name("a")) }
        #expect(cluster.sent(.read) == before + 10)
        // A write goes to all: the answer to it ends the suspicion.
        cluster.set("storage-1", .up)
        try await client.put("a", "two")
        #expect(await eventually { cluster.states("a").allSatisfy { $0?.record == record("two") } })
        cluster.set("storage-3", .down)
        before = cluster.sent(.read)
        #expect(try await client.read(name("a")).text == "two")
        #expect(cluster.sent(.read) == before + 2)
    }
}
