import ClusterState
import Model
import Ring
import Testing
import Wire

@Suite("View of the cluster")
struct ClusterViewTests {
    private let settings = ClusterSettings(
        clusterId: "c", replicas: 3, writeQuorum: 1, readQuorum: 2, deleteQuorum: 3, partitions: 2,
        hashKey: [UInt8](repeating: 7, count: 16))
    private let ring = RingRecord(
        epoch: 4, nodes: ["s1", "s2", "s3"],
        partitions: [
            PartitionAssignment(current: [0, 1, 2], epoch: 1),
            PartitionAssignment(current: [2, 1, 0], next: [0, 1], epoch: 4),
        ])

    private func entry(_ key: String, _ message: some WireMessage) -> StateEntry {
        StateEntry(key: key, value: message.encoded())
    }

    @Test("Records are found by all their names")
    func lookups() {
        let view = ClusterView(
            revision: 9,
            entries: [
                entry("settings/cluster", settings), entry("ring", ring),
                entry("users/alice", UserRecord(id: "alice", accessKeyId: "AK")),
                entry("buckets/b", BucketRecord(name: "b", owner: "alice")),
                entry("buckets/a", BucketRecord(name: "a", owner: "alice")),
                entry("buckets/x", BucketRecord(name: "x", owner: "bob")),
                entry("members/s1", MemberRecord(name: "s1", role: .storage, publicKey: [1])),
                entry("members/m", MemberRecord(name: "m", role: .manager, publicKey: [2])),
                entry("future/thing", BucketRecord(name: "unknown")),
            ])
        #expect(view.revision == 9 && view.epoch == 4)
        #expect(view.consistency == ConsistencyLevel(replicas: 3, write: 1, read: 2, delete: 3))
        #expect(view.user(accessKey: "AK")?.id == "alice" && view.user(accessKey: "none") == nil)
        #expect(view.buckets(owner: "alice").map(\.name) == ["a", "b"])
        #expect(view.storageNodes == ["s1"] && view.managers == ["m"])
        #expect(view.member(publicKey: [2])?.name == "m")
    }

    @Test("Changes replace, delete, and keep what they do not name")
    func changes() {
        let before = ClusterView(
            revision: 1,
            entries: [
                entry("settings/cluster", settings), entry("ring", ring),
                entry("users/alice", UserRecord(id: "alice", accessKeyId: "old")),
                entry("buckets/b", BucketRecord(name: "b", owner: "alice")),
            ])
        let after = before.applying(
            [
                entry("users/alice", UserRecord(id: "alice", accessKeyId: "new")),
                StateEntry(key: "buckets/b", deleted: true),
            ], revision: 2)
        #expect(after.user(accessKey: "new") != nil && after.user(accessKey: "old") == nil)
        #expect(after.buckets.isEmpty && after.ring == before.ring)
        #expect(before.buckets.count == 1, "the old view stays as it was")
    }

    @Test("A damaged entry leaves what was known")
    func damage() {
        let before = ClusterView(revision: 1, entries: [entry("settings/cluster", settings), entry("ring", ring)])
        var impossible = ring
        impossible.partitions[0].current = [0, 9]
        for bad in [StateEntry(key: "ring", value: [0xFF, 0xFF]), entry("ring", impossible)] {
            let after = before.applying([bad], revision: 2)
            #expect(after.ring == before.ring && after.revision == 2)
        }
    }

    @Test("A ring survives the way into the record and back")
    func ringConversion() throws {
        let table = try RingTable(ring, hashKey: settings.hashKey)
        #expect(table.epoch == 4 && table.partitionCount == 2)
        #expect(table.assignment(1).current == ["s3", "s2", "s1"] && table.assignment(1).next == ["s1", "s2"])
        #expect(RingRecord(table) == ring)
        #expect(throws: RingRecordError.self) { try RingTable(ring, hashKey: [1, 2]) }
        #expect(throws: RingRecordError.self) { try RingTable(RingRecord(epoch: 1), hashKey: settings.hashKey) }
    }
}
