import AccessTestKit
import Model
import NIOCore
import ObjectAccess
import Register
import Testing

@Suite struct ReadingTests {
    @Test("A quiet read asks only a read quorum")
    func asksQuorum() async throws {
        let cluster = FakeStorageCluster()
        let client = cluster.makeClient { $0.slowAfter = .seconds(100) }
        try await client.put("a", "one")
        #expect(await eventually { cluster.states("a").allSatisfy { $0 != nil } })
        _ = try await client.read(name("a"))
        #expect(cluster.sent(.read) == 2)
    }

    @Test("A replica that lags is outvoted without a round")
    func lagging() async throws {
        let cluster = FakeStorageCluster()
        cluster.plant("a", state("old", counter: 1), at: cluster.names)
        cluster.plant("a", state("new", counter: 2, sequence: 2), at: Array(cluster.names.suffix(2)))
        let snapshot = try await cluster.makeClient().read(name("a"))
        #expect(snapshot.text == "new")
        #expect(cluster.sent(.commit) == 0)
    }

    @Test("A write that reached one replica is finished by the reader that sees it")
    func finishing() async throws {
        let cluster = FakeStorageCluster(partitions: 1)
        cluster.plant("a", state("old", counter: 1), at: cluster.names)
        cluster.plant("a", state("new", counter: 2, sequence: 2), at: ["storage-1"])
        // So that every quorum has the replica with the new state: it must not be overruled.
        cluster.set("storage-3", .down)
        let client = cluster.makeClient()
        #expect(try await client.read(name("a")).text == "new")
        #expect(cluster.states("a").prefix(2).allSatisfy { $0?.record == record("new") })
        cluster.set("storage-3", .up)
        cluster.set("storage-1", .down)
        #expect(try await client.read(name("a")).text == "new")
    }

    @Test("The content comes with the record, from one replica")
    func content() async throws {
        let cluster = FakeStorageCluster()
        let client = cluster.makeClient()
        try await client.put("a", "one", content: "the content")
        let snapshot = try await client.read(name("a"), withBlob: true)
        #expect(snapshot.blob == ByteBuffer(string: "the content"))
        #expect(try await client.read(name("a")).blob == nil)
    }

    @Test("Content is got from another replica when the first has lost it", arguments: 0..<3)
    func contentElsewhere(lost: Int) async throws {
        let cluster = FakeStorageCluster(partitions: 1)
        let client = cluster.makeClient()
        try await client.put("a", "one", content: "the content")
        #expect(await eventually { cluster.names.allSatisfy { cluster.node($0).blobs.count == 1 } })
        cluster.change(cluster.names[lost]) { $0.blobs = [:] }
        #expect(try await client.read(name("a"), withBlob: true).blob == ByteBuffer(string: "the content"))
    }

    @Test("Content that only one replica still has is found; content that nobody has is damage")
    func contentLost() async throws {
        let cluster = FakeStorageCluster(partitions: 1)
        let client = cluster.makeClient()
        try await client.put("a", "one", content: "the content")
        #expect(await eventually { cluster.names.allSatisfy { cluster.node($0).blobs.count == 1 } })
        for node in cluster.names.prefix(2) { cluster.change(node) { $0.blobs = [:] } }
        #expect(try await client.read(name("a"), withBlob: true).blob == ByteBuffer(string: "the content"))
        cluster.change("storage-3") { $0.blobs = [:] }
        await #expect {
            try await client.read(name("a"), withBlob: true)
        } throws: { error in
            if case .damaged? = error as? AccessError { true } else { false }
        }
    }

    @Test("Content is still read with one replica down", arguments: 0..<3)
    func contentOneDown(down: Int) async throws {
        let cluster = FakeStorageCluster(partitions: 1)
        let client = cluster.makeClient()
        try await client.put("a", "one", content: "the content")
        #expect(await eventually { cluster.names.allSatisfy { cluster.node($0).blobs.count == 1 } })
        cluster.set(cluster.names[down], .down)
        #expect(try await client.read(name("a"), withBlob: true).blob == ByteBuffer(string: "the content"))
    }

    @Test("A replica whose staged content is gone is sent it again with the commit")
    func blobMissing() async throws {
        let cluster = FakeStorageCluster()
        for node in cluster.names { cluster.change(node) { $0.dropsStagedBlobs = true } }
        let client = cluster.makeClient()
        #expect(try await client.put("a", "one", content: "the content").written)
        #expect(try await client.read(name("a"), withBlob: true).blob == ByteBuffer(string: "the content"))
        #expect(await eventually { cluster.sent(.commit) == 6 })
    }

    @Test("A reader that finishes a write takes its content to the replicas that lack it")
    func finishingWithContent() async throws {
        let cluster = FakeStorageCluster(partitions: 1)
        let blob = BlobID.random()
        let half = RegisterState(
            tag: Ballot(counter: 5, writer: 9), sequence: 1, recentOperations: [], record: record("new", blob: blob))
        cluster.plant("a", half, at: ["storage-1"])
        cluster.change("storage-1") { $0.blobs[blob] = ByteBuffer(string: "the content") }
        cluster.set("storage-3", .down)
        let client = cluster.makeClient()
        let snapshot = try await client.read(name("a"), withBlob: true)
        #expect(snapshot.text == "new" && snapshot.blob == ByteBuffer(string: "the content"))
        #expect(cluster.node("storage-2").blobs[blob] != nil)
    }

    @Test("A replica that is slow is asked last for a while")
    func avoidsSlow() async throws {
        let cluster = FakeStorageCluster(partitions: 1)
        let client = cluster.makeClient()
        try await client.put("a", "one")
        cluster.set("storage-1", .silent)
        // A few reads wait for it in vain.
        for _ in 0..<8 { #expect(try await client.read(name("a")).text == "one") }
        let before = cluster.sent(.read)
        #expect(try await client.read(name("a")).text == "one")
        #expect(cluster.sent(.read) == before + 2)
    }
}
