import Model
import Ring
import Testing
import Wire

@testable import Repair

@Suite struct RepairPlanTests {
    private let ring = RingTable(
        epoch: 1, hashKey: [UInt8](repeating: 3, count: 16),
        partitions: [
            PartitionReplicas(current: ["a", "b"]), PartitionReplicas(current: ["b", "c"]),
            PartitionReplicas(current: ["c", "a"], next: ["b", "a"]), PartitionReplicas(current: ["a", "b"]),
        ])!

    private func digest(_ value: UInt64, chunks: UInt64 = 0) -> PartitionDigest {
        PartitionDigest(digest: value, registers: 1, chunks: chunks == 0 ? 0 : 1, chunkDigest: chunks)
    }

    @Test("Only partitions whose replicas differ are work")
    func differing() {
        let plan = RepairPlan(
            ring: ring,
            digests: [
                "a": [0: digest(1), 2: digest(5)], "b": [0: digest(1), 1: digest(2), 2: digest(5)],
                "c": [1: digest(3), 2: digest(5, chunks: 9)],
            ])
        #expect(
            plan.work == [
                PartitionWork(partition: 1, replicas: ["b", "c"], registers: true, chunks: false, keys: 1),
                PartitionWork(partition: 2, replicas: ["c", "a", "b"], registers: false, chunks: true, keys: 1),
            ])
        #expect(plan.compared == 4 && plan.incomplete == 0 && plan.keys == 2)
    }

    @Test("A partition that one replica lacks altogether differs")
    func empty() {
        let plan = RepairPlan(ring: ring, digests: ["a": [0: digest(1)], "b": [:], "c": [:]])
        #expect(plan.work.map(\.partition) == [0])
    }

    @Test("Without the answer of a replica nothing is proved for its partitions")
    func incomplete() {
        let plan = RepairPlan(ring: ring, digests: ["a": [:], "b": [:]])
        #expect(plan.incomplete == 2 && plan.compared == 3)
        #expect(RepairPlan(ring: ring, digests: ["a": [:]]).compared == 0)
    }

    @Test("Work for one node is limited to its partitions")
    func oneNode() {
        let plan = RepairPlan(ring: ring, digests: ["a": [:], "b": [1: digest(1)], "c": [:]], node: "a")
        #expect(plan.compared == 3 && plan.work.isEmpty)
    }

    @Test("Partitions of the same nodes are compared in one walk")
    func groups() {
        let plan = RepairPlan(ring: ring, digests: ["a": [0: digest(1), 3: digest(4)], "b": [1: digest(1)], "c": [:]])
        #expect(
            plan.registerGroups == [
                RepairGroup(replicas: ["a", "b"], partitions: [0, 3]),
                RepairGroup(replicas: ["b", "c"], partitions: [1]),
            ])
        #expect(plan.chunkGroups.isEmpty)
    }

    @Test("The chunks of a content are counted up to the last, shorter one")
    func chunkNames() {
        let id = BlobID(high: 1, low: 1)
        #expect(BlobReference(id: id.bytes, size: 10, chunkSize: 0).chunkNames.isEmpty)
        #expect(BlobReference(id: id.bytes, size: 10, chunkSize: 5).chunkNames.count == 2)
        #expect(BlobReference(id: id.bytes, size: 11, chunkSize: 5).chunkNames.last == ChunkName(blob: id, index: 2))
    }
}
