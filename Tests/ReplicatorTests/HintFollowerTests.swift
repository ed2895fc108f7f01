import AccessTestKit
import Foundation
import Logging
import Model
import NIOCore
import ObjectAccess
import Observability
import Register
import Testing
import Wire

@testable import Replicator

@Suite struct HintFollowerTests: RegisterSamples {
    func followers(_ cluster: FakeStorageCluster, batch: Int = 4) -> [HintFollower] {
        let delivery = HintDelivery(healing: ReplicaHealing(cluster.makeClient(writer: 50)))
        return cluster.names.map {
            HintFollower(
                source: $0, bus: cluster, delivery: delivery, settings: .init(batch: batch, concurrency: 3),
                metrics: ReplicatorMetrics(MetricsRegistry()))
        }
    }

    func round(_ followers: [HintFollower], _ cluster: FakeStorageCluster) async {
        for follower in followers {
            while await follower.round(targets: cluster.names, members: Set(cluster.names)) {}
        }
    }

    func hintCount(_ cluster: FakeStorageCluster) -> Int {
        cluster.names.reduce(0) { $0 + cluster.node($1).hints.count }
    }

    @Test("A replica that was down gets what it missed, and the hints are forgotten")
    func delivers() async throws {
        let cluster = FakeStorageCluster()
        let client = cluster.makeClient()
        cluster.set("storage-3", .down)
        for index in 0..<10 { try await put(client, "k\(index)", "content \(index)") }
        #expect(await eventually { hintCount(cluster) == 20 })
        let followers = followers(cluster)
        await round(followers, cluster)
        #expect(hintCount(cluster) == 20, "nothing is forgotten while the target is down")
        cluster.set("storage-3", .up)
        let fresh = self.followers(cluster)
        await round(fresh, cluster)
        #expect(hintCount(cluster) == 0)
        let healed = cluster.node("storage-3")
        #expect(healed.registers == cluster.node("storage-1").registers)
        #expect(healed.blobs == cluster.node("storage-1").blobs)
        #expect(fresh.allSatisfy { $0.status.queued == 0 })
    }

    @Test("The newest write is delivered, even through the hint of an older one")
    func newest() async throws {
        let cluster = FakeStorageCluster()
        let client = cluster.makeClient()
        cluster.set("storage-3", .down)
        try await put(client, "k", "old")
        #expect(await eventually { hintCount(cluster) == 2 })
        cluster.set("storage-3", .silent)
        try await put(client, "k", "new")
        cluster.set("storage-3", .up)
        await round(followers(cluster), cluster)
        #expect(cluster.node("storage-3").registers[name("k")]?.record?.bytes == Array("new".utf8))
    }

    @Test("A delete is delivered too")
    func tombstone() async throws {
        let cluster = FakeStorageCluster()
        let client = cluster.makeClient()
        try await put(client, "k", "text")
        #expect(await eventually { cluster.node("storage-3").registers[name("k")] != nil })
        cluster.set("storage-3", .down)
        _ = try await client.update(name("k"), deleting: true) { _ in .write(.tombstone) }
        #expect(await eventually { hintCount(cluster) == 2 })
        cluster.set("storage-3", .up)
        await round(followers(cluster), cluster)
        #expect(cluster.node("storage-3").registers[name("k")]?.isLive == false)
    }

    @Test("Chunks are copied from a replica that has them")
    func chunks() async throws {
        let cluster = FakeStorageCluster()
        let chunk = ChunkName(blob: .random(), index: 5)
        cluster.set("storage-2", .down)
        try await ChunkClient(cluster.makeClient()).put(chunk, ByteBuffer(string: "bytes"), owner: name("k"))
        #expect(await eventually { hintCount(cluster) == 2 })
        cluster.set("storage-2", .up)
        await round(followers(cluster), cluster)
        #expect(cluster.node("storage-2").chunks[chunk] == ByteBuffer(string: "bytes"))
        #expect(hintCount(cluster) == 0)
    }

    @Test("Hints for a node that is no member, and for chunks that nobody has, are dropped")
    func obsolete() async throws {
        let cluster = FakeStorageCluster()
        let stranger = Hint(id: 1, missed: "gone-1", name: .init(name("k")), tag: BallotNumber(counter: 1, writer: 1))
        let nobody = Hint(id: 2, missed: "storage-2", blob: BlobID.random().bytes)
        cluster.change("storage-1") { $0.hints = [1: stranger, 2: nobody] }
        await round(followers(cluster), cluster)
        #expect(hintCount(cluster) == 0)
    }

    @Test("One target that is down does not hold up the others")
    func independentTargets() async throws {
        let cluster = FakeStorageCluster()
        let client = cluster.makeClient()
        for (index, down) in ["storage-2", "storage-3"].enumerated() {
            cluster.set(NodeName(down), .down)
            for round in 0..<6 { try await put(client, "k\(index)-\(round)", "x") }
            #expect(await eventually { cluster.node("storage-1").hints.count == 6 * (index + 1) })
            cluster.set(NodeName(down), .up)
        }
        cluster.set("storage-2", .down)
        await round(followers(cluster), cluster)
        #expect(Set(cluster.node("storage-1").hints.values.map(\.missed)) == ["storage-2"])
    }

    @Test("A suspended queue rests")
    func suspended() async throws {
        let cluster = FakeStorageCluster()
        cluster.set("storage-3", .down)
        try await put(cluster.makeClient(), "k", "x")
        #expect(await eventually { hintCount(cluster) == 2 })
        cluster.set("storage-3", .up)
        let followers = followers(cluster)
        for follower in followers { follower.suspend(true) }
        await round(followers, cluster)
        #expect(hintCount(cluster) == 2)
        for follower in followers { follower.suspend(false) }
        await round(followers, cluster)
        #expect(hintCount(cluster) == 0)
    }

    @Test("The service follows all nodes and is woken by a ring")
    func service() async throws {
        let cluster = FakeStorageCluster()
        cluster.set("storage-3", .down)
        try await put(cluster.makeClient(), "k", "x")
        #expect(await eventually { hintCount(cluster) == 2 })
        cluster.set("storage-3", .up)
        let metrics = MetricsRegistry()
        let file = FileManager.default.temporaryDirectory.appendingPathComponent("suspended-\(UUID())").path
        let replication = Replication(
            registers: cluster.makeClient(writer: 60), bus: cluster, cluster: cluster,
            suspended: try SuspendedQueues(path: file),
            settings: .init(pollInterval: .seconds(1000), follower: .init(batch: 10, concurrency: 2)),
            logger: Logger(label: "test"), metrics: metrics)
        replication.start()
        #expect(await eventually { hintCount(cluster) == 0 })
        #expect(metrics.render().contains("martlet_replication_queue_length"))
        #expect(ReplicationReport.make(replication.statuses).mqStats.map(\.id) == cluster.names.map { "hints@\($0)" })
        await replication.stop()
    }
}
