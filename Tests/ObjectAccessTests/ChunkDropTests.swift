import AccessTestKit
import Model
import NIOCore
import ObjectAccess
import Testing

@Suite struct ChunkDropTests {
    let blob = BlobID(high: 1, low: 2)

    /// A cluster with six nodes, so that each has some of the chunks only.
    private func cluster(chunks count: UInt32) async throws -> FakeStorageCluster {
        let cluster = FakeStorageCluster(nodes: 6)
        let client = ChunkClient(cluster.makeClient())
        for index in 0..<count {
            try await client.put(
                ChunkName(blob: blob, index: index), ByteBuffer(string: "chunk \(index)"), owner: name("big"))
        }
        #expect(await eventually { copies(cluster) == Int(count) * 3 })
        return cluster
    }

    private func copies(_ cluster: FakeStorageCluster) -> Int {
        cluster.names.map { cluster.node($0).chunks.count }.reduce(0, +)
    }

    @Test("Dropped chunks are gone from all replicas, the others stay")
    func drop() async throws {
        let cluster = try await cluster(chunks: 20)
        let outcome = try await ChunkClient(cluster.makeClient()).drop(blob, chunks: 5..<15)
        #expect(outcome.dropped == 30)
        #expect(outcome.isComplete)
        #expect(copies(cluster) == 30)
        #expect(cluster.names.allSatisfy { cluster.node($0).chunks.keys.allSatisfy { !(5..<15).contains($0.index) } })
    }

    @Test("Only replicas are asked, each once for consecutive chunks, in messages of a bounded size")
    func messages() async throws {
        let cluster = FakeStorageCluster()
        let outcome = try await ChunkClient(cluster.makeClient()).drop(blob, chunks: 0..<3000)
        #expect(outcome.isComplete && outcome.dropped == 0)
        #expect(cluster.sent(.dropChunks) == 9)
        #expect(cluster.names.allSatisfy { cluster.node($0).droppedChunks.count == 3000 })
        #expect(try await ChunkClient(cluster.makeClient()).drop(blob, chunks: 7..<7).isComplete)
        #expect(cluster.sent(.dropChunks) == 9)
    }

    @Test("Of several nodes each is told exactly of what it may have")
    func exact() async throws {
        let cluster = FakeStorageCluster(nodes: 6)
        _ = try await ChunkClient(cluster.makeClient()).drop(blob, chunks: 0..<100)
        for node in cluster.names {
            let expected = (0..<100).map { ChunkName(blob: blob, index: UInt32($0)) }
                .filter { cluster.replicas(of: $0).contains(node) }
            #expect(cluster.node(node).droppedChunks == Set(expected))
        }
    }

    @Test("A replica out of reach is told of, the others drop", arguments: [false, true])
    func missed(silent: Bool) async throws {
        let cluster = try await cluster(chunks: 20)
        cluster.set("storage-2", silent ? .silent : .down)
        let left = cluster.node("storage-2").chunks.count
        let outcome = try await ChunkClient(cluster.makeClient()).drop(blob, chunks: 0..<20)
        #expect(outcome.missed == ["storage-2"])
        #expect(!outcome.isComplete)
        #expect(copies(cluster) == left)
        cluster.set("storage-2", .up)
        #expect(try await ChunkClient(cluster.makeClient()).drop(blob, chunks: 0..<20).isComplete)
        #expect(copies(cluster) == 0)
    }

    @Test("A lost message is sent again")
    func loss() async throws {
        let cluster = FakeStorageCluster(partitions: 1, seed: 3)
        cluster.lose(perMille: 200)
        let client = ChunkClient(cluster.makeClient())
        var complete = 0
        for low in 0..<50 where try await client.drop(BlobID(high: 9, low: UInt64(low)), chunks: 0..<1).isComplete {
            complete += 1
        }
        // Without the repetition three of ten: 0.64 to the power of 3.
        #expect(complete > 25)
    }

    @Test("A replica that has dropped a chunk is not given it again, and one that missed the drop drops it")
    func copyOfDropped() async throws {
        let cluster = FakeStorageCluster()
        let chunk = ChunkName(blob: blob, index: 0)
        let client = cluster.makeClient()
        try await ChunkClient(client).put(chunk, ByteBuffer(string: "bytes"), owner: name("big"))
        #expect(await eventually { copies(cluster) == 3 })
        cluster.set("storage-1", .down)
        #expect(try await ChunkClient(client).drop(blob, chunks: 0..<1).missed == ["storage-1"])
        cluster.set("storage-1", .up)
        let healing = ReplicaHealing(client)
        #expect(try await healing.copy(chunk, to: "storage-2") == false)
        #expect(copies(cluster) == 1)
        // Healing brings the drop to the replica that missed it.
        #expect(try await healing.heal(chunk).isEmpty)
        #expect(copies(cluster) == 0)
    }

    @Test("A copy keeps its owner and the time it was first written")
    func owner() async throws {
        let cluster = FakeStorageCluster()
        let chunk = ChunkName(blob: blob, index: 0)
        let client = cluster.makeClient()
        cluster.set("storage-2", .down)
        try await ChunkClient(client).put(chunk, ByteBuffer(string: "bytes"), owner: name("big"))
        #expect(await eventually { copies(cluster) == 2 })
        #expect(cluster.node("storage-1").chunkOwners[chunk] == .init(register: name("big"), writtenMilliseconds: 0))
        for node in ["storage-1", "storage-3"] as [NodeName] {
            cluster.change(node) { $0.chunkOwners[chunk]?.writtenMilliseconds = 17 }
        }
        cluster.set("storage-2", .up)
        #expect(try await ReplicaHealing(client).copy(chunk, to: "storage-2"))
        #expect(cluster.node("storage-2").chunkOwners[chunk] == .init(register: name("big"), writtenMilliseconds: 17))
    }
}
