import AccessTestKit
import Model
import NIOCore
import ObjectAccess
import Testing

@Suite struct ChunkClientTests {
    let chunk = ChunkName(blob: BlobID(high: 1, low: 2), index: 3)
    let bytes = ByteBuffer(bytes: (0..<10_000).map { UInt8(truncatingIfNeeded: $0) })

    @Test("A chunk is stored on all replicas and read whole or in part")
    func putAndGet() async throws {
        let cluster = FakeStorageCluster()
        let chunks = ChunkClient(cluster.makeClient())
        try await chunks.put(chunk, bytes, owner: name("big"))
        #expect(await eventually { cluster.names.allSatisfy { cluster.node($0).chunks.count == 1 } })
        #expect(try await chunks.get(chunk) == bytes)
        #expect(try await chunks.get(chunk, offset: 100, length: 50) == bytes.getSlice(at: 100, length: 50))
        #expect(try await chunks.get(chunk, offset: 9_990).readableBytes == 10)
    }

    @Test("One replica down: the chunk is stored, and noted for the one that misses it")
    func oneDown() async throws {
        let cluster = FakeStorageCluster()
        cluster.set("storage-3", .down)
        let chunks = ChunkClient(cluster.makeClient())
        try await chunks.put(chunk, bytes, owner: name("big"))
        #expect(await eventually { cluster.hints("storage-1") == ["storage-3"] })
        #expect(cluster.node("storage-1").hints.values.first?.index == 3)
        #expect(try await chunks.get(chunk) == bytes)
    }

    @Test("Two replicas down: the chunk is not stored")
    func quorumLost() async throws {
        let cluster = FakeStorageCluster()
        cluster.set("storage-2", .down)
        cluster.set("storage-3", .down)
        await #expect(throws: AccessError.self) {
            try await ChunkClient(cluster.makeClient()).put(chunk, bytes, owner: name("big"))
        }
    }

    @Test("A chunk that only one replica has is found there", arguments: 0..<3)
    func onlyOne(holder: Int) async throws {
        let cluster = FakeStorageCluster()
        cluster.change(cluster.names[holder]) { $0.chunks[chunk] = bytes }
        #expect(try await ChunkClient(cluster.makeClient()).get(chunk) == bytes)
    }

    @Test("A silent replica does not stop a read")
    func silent() async throws {
        let cluster = FakeStorageCluster(partitions: 1)
        let chunks = ChunkClient(cluster.makeClient())
        try await chunks.put(chunk, bytes, owner: name("big"))
        #expect(await eventually { cluster.names.allSatisfy { cluster.node($0).chunks.count == 1 } })
        cluster.set("storage-1", .silent)
        #expect(try await chunks.get(chunk) == bytes)
    }

    @Test("A chunk that nobody has is absent; one that may be on a dead replica is not")
    func absent() async throws {
        let cluster = FakeStorageCluster()
        let chunks = ChunkClient(cluster.makeClient())
        await #expect { try await chunks.get(chunk) } throws: { error in
            if case .absent? = error as? AccessError { true } else { false }
        }
        cluster.set("storage-1", .down)
        await #expect { try await chunks.get(chunk) } throws: { error in
            if case .noQuorum? = error as? AccessError { true } else { false }
        }
    }
}
