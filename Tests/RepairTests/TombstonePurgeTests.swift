import AccessTestKit
import Logging
import MessageBus
import Model
import ObjectAccess
import Observability
import Register
import Ring
import Testing
import Wire

@testable import Repair

@Suite struct TombstonePurgeTests: RegisterSamples {
    private func purge(_ cluster: FakeStorageCluster) -> TombstonePurge {
        TombstonePurge(
            bus: cluster, cluster: cluster, settings: .init(grace: .zero, concurrency: 3),
            metrics: TombstoneMetrics(MetricsRegistry()), logger: Logger(label: "test"))
    }

    /// Objects that are written and deleted, on all replicas.
    private func delete(_ keys: [String], _ cluster: FakeStorageCluster) async throws {
        let client = cluster.makeClient()
        for key in keys {
            _ = try await client.update(name(key)) { _ in .write(StoredRecord(bytes: [1])) }
            _ = try await client.update(name(key), deleting: true) { _ in .write(.tombstone) }
        }
        #expect(
            await eventually {
                keys.allSatisfy { key in
                    let tags = cluster.names.map { cluster.node($0).registers[name(key)] }
                    return tags.allSatisfy { $0?.record?.isTombstone == true && $0?.tag == tags[0]?.tag }
                }
            })
    }

    private func registers(_ cluster: FakeStorageCluster) -> [Int] {
        cluster.names.map { cluster.node($0).registers.count }
    }

    @Test("Tombstones that all replicas hold are gone, with proof; others stay, and a new chain begins further on")
    func purges() async throws {
        let cluster = FakeStorageCluster()
        try await delete((0..<30).map { "k\($0)" }, cluster)
        _ = try await cluster.makeClient().update(name("live")) { _ in .write(StoredRecord(bytes: [2])) }
        #expect(await eventually { self.registers(cluster) == [31, 31, 31] })
        let purge = purge(cluster)
        let outcome = try await purge.round()
        #expect(outcome.isProved && registers(cluster) == [1, 1, 1])
        #expect(purge.status.purged == 30 && purge.status.waiting == 0)
        #expect(cluster.names.allSatisfy { cluster.node($0).floor.sequence == 2 })
        let again = try await cluster.makeClient().update(name("k1")) { _ in .write(StoredRecord(bytes: [3])) }
        #expect(again.state?.sequence == 2 + UInt64(Limits.recentOperations) + 1)
        #expect(try await purge.round().isProved && purge.status.purged == 30)
    }

    @Test("A tombstone that one replica lacks, or holds under another tag, stays everywhere")
    func incomplete() async throws {
        let cluster = FakeStorageCluster()
        try await delete(["a", "b", "c"], cluster)
        cluster.change(cluster.names[0]) { $0.registers[name("a")] = nil }
        cluster.change(cluster.names[2]) { $0.registers[name("b")]?.tag.counter += 1 }
        let purge = purge(cluster)
        let outcome = try await purge.round()
        #expect(!outcome.isProved && purge.status.waiting == 2 && purge.status.purged == 1)
        #expect(registers(cluster) == [1, 2, 2])
    }

    @Test("Nothing is purged where a replica does not answer, or has lost its memory", arguments: [false, true])
    func silent(isDoubtful: Bool) async throws {
        let cluster = FakeStorageCluster()
        try await delete(["a", "b"], cluster)
        if isDoubtful {
            cluster.change(cluster.names[1]) { $0.loseMemory(of: []) }
        } else {
            cluster.set(cluster.names[1], .down)
        }
        let outcome = try await purge(cluster).round()
        #expect(!outcome.isProved && registers(cluster) == [2, 2, 2])
    }

    @Test(
        "An operator's age is a time with a unit, or none",
        arguments: [([], nil), (["0s"], Duration.zero), (["2h"], Duration.seconds(7200))] as [([String], Duration?)])
    func age(arguments: [String], expected: Duration?) throws {
        #expect(try Recovery.age(arguments) == expected)
    }

    @Test("What is no age is refused", arguments: [["soon"], ["5"], ["1h", "2h"]])
    func noAge(arguments: [String]) {
        #expect(throws: BusError.self) { try Recovery.age(arguments) }
    }

    @Test("A proof needs every replica of a partition that does not move")
    func proof() throws {
        let ring = try #require(
            RingTable(
                epoch: 3, hashKey: Array(0..<16),
                partitions: [
                    .init(current: ["a", "b"]), .init(current: ["a", "b"], next: ["a", "c"], epoch: 2),
                    .init(current: ["b", "c"]), .init(current: ["a", "c"]),
                ]))
        let proof = TombstoneProof(ring)
        #expect(proof.nodes == ["a", "b", "c"] && proof.leftOut == 1)
        #expect(proof.partitions(at: "a") == [0, 3] && proof.partitions(at: "c") == [2, 3])
        let (old, new) = (Ballot(counter: 1, writer: 1), Ballot(counter: 2, writer: 1))
        #expect(proof.proved(0, [old, old, nil]) == old)
        #expect(proof.proved(0, [old, new, nil]) == nil)
        #expect(proof.proved(0, [old, nil, old]) == nil)
        #expect(proof.proved(1, [old, old, old]) == nil)
        #expect(proof.proved(2, [nil, new, new]) == new)
        #expect(TombstoneProof(ring, silent: ["c"]).partitions(at: "a") == [0])
    }
}
