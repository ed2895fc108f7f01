import AccessTestKit
import Logging
import Model
import NIOCore
import ObjectAccess
import Observability
import Testing
import Wire

@testable import Repair

@Suite struct DamageRepairTests: RegisterSamples {
    func repair(_ cluster: FakeStorageCluster) -> DamageRepair {
        DamageRepair(
            registers: cluster.makeClient(writer: 70), bus: cluster, cluster: cluster,
            concurrency: 3, metrics: DamageMetrics(MetricsRegistry()),
            logger: Logger(label: "test"))
    }

    func put(_ cluster: FakeStorageCluster, _ key: String, _ content: String) async throws -> BlobID {
        let blob = try await put(cluster.makeClient(), key, content)
        #expect(await eventually { cluster.names.allSatisfy { cluster.node($0).blobs[blob] != nil } })
        return blob
    }

    @Test("A damaged blob is brought back with its register, whose tag the node knows")
    func blob() async throws {
        let cluster = FakeStorageCluster()
        let blob = try await put(cluster, "k", "content")
        cluster.change("storage-2") {
            $0.damage(DamagedItem(name: Wire.RegisterName(name("k")), blob: blob.bytes))
        }
        let repair = repair(cluster)
        #expect(await repair.round() != nil)
        #expect(cluster.node("storage-2").damage.isEmpty)
        #expect(repair.status.repaired == 1 && repair.status.damaged == 0)
        // The list is looked at again, and then no more before something is found.
        #expect(await repair.round() == nil)
        #expect(repair.status.repaired == 1)
    }

    @Test("Damaged chunks are copied from those who have them, page after page")
    func chunks() async throws {
        let cluster = FakeStorageCluster()
        let blob = BlobID(high: 5, low: 5)
        let all = (0..<300 as Range<UInt32>).map { ChunkName(blob: blob, index: $0) }
        for chunk in all {
            for node in cluster.names { cluster.change(node) { $0.chunks[chunk] = ByteBuffer(string: "c") } }
            cluster.change("storage-1") {
                $0.damage(DamagedItem(blob: blob.bytes, index: chunk.index, chunk: true))
            }
        }
        let repair = repair(cluster)
        _ = await repair.round()
        #expect(cluster.node("storage-1").damage.isEmpty && repair.status.repaired == 300)
    }

    @Test("What no replica can give is tried again later, the rest is healed")
    func failing() async throws {
        let cluster = FakeStorageCluster()
        let good = try await put(cluster, "good", "a")
        let chunk = DamagedItem(blob: BlobID(high: 6, low: 6).bytes, index: 1, chunk: true)
        cluster.change("storage-1") {
            $0.damage(chunk)
            $0.damage(DamagedItem(name: Wire.RegisterName(name("good")), blob: good.bytes))
            $0.damage(DamagedItem(blob: BlobID(high: 7, low: 7).bytes))
        }
        let repair = repair(cluster)
        let wait = await repair.round()
        #expect(repair.status.damaged == 2 && repair.status.repaired == 1 && !repair.status.lastError.isEmpty)
        #expect(wait.map { $0 <= .seconds(2) } == true)
        let sent = cluster.sent(.getChunk)
        _ = await repair.round()
        #expect(cluster.sent(.getChunk) == sent, "it is not tried at once again")
    }

    @Test("A node that does not answer is told of, the others are healed")
    func unreachable() async throws {
        let cluster = FakeStorageCluster()
        let blob = try await put(cluster, "k", "content")
        cluster.change("storage-3") {
            $0.damage(DamagedItem(name: Wire.RegisterName(name("k")), blob: blob.bytes))
        }
        cluster.set("storage-1", .down)
        let repair = repair(cluster)
        _ = await repair.round()
        #expect(repair.status.unreachable == ["storage-1"] && cluster.node("storage-3").damage.isEmpty)
    }
}
