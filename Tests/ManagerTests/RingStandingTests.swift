import ClusterState
import ClusterStore
import Model
import Ring
import Testing
import Wire

@testable import Manager

/// A store whose ring may be older than the one that the cluster works by.
@Suite("A restored ring")
struct RingStandingTests {
    /// Four nodes; the state as of before a ring change that is restored, and the ring that nodes work by meanwhile.
    private struct Restored {
        let fixture: Fixture
        let newer: RingTable

        init(moving: Bool = false) async throws {
            fixture = try await Fixture()
            try await fixture.attach(4)
            try await fixture.run("start", as: StartReport.self)
            try await fixture.cluster.change { _, edit in
                edit.put(ManagerKeys.ringUnconfirmed, bytes: Array("restored".utf8))
            }
            let ring = fixture.view.ring!
            var partitions = ring.partitions
            partitions[3].epoch = 7
            if moving {
                partitions[3].next = ["storage-1", "storage-2", "storage-9"]
            } else {
                partitions[3].current = ["storage-1", "storage-2", "storage-9"]
            }
            newer = RingTable(epoch: 7, hashKey: ring.hashKey, partitions: partitions)!
        }

        var state: ManagerState { fixture.cluster.state }

        func heard(_ nodes: [NodeName], epoch: UInt64 = 1) -> [NodeName: Liveness] {
            Dictionary(
                uniqueKeysWithValues: nodes.map { ($0, Liveness(verdict: .alive, epoch: epoch, revision: 3)) })
        }

        /// What a storage node answers that works by the newer ring.
        func reply(_ ring: RingTable? = nil) -> FetchStateReply {
            func member(_ name: String, key: UInt8, role: MemberRole = .storage) -> StateEntry {
                StateEntry(
                    key: "members/\(name)",
                    value: MemberRecord(name: name, role: role, publicKey: fixture.key(key)).encoded())
            }
            return FetchStateReply(
                revision: 9,
                entries: [
                    StateEntry(key: "ring", value: RingRecord(ring ?? newer).encoded()), member("storage-9", key: 9),
                    member("storage-8", key: 8), member("gateway-9", key: 10, role: .gateway),
                ])
        }

        @discardableResult
        func takeOver(_ reply: FetchStateReply) async throws -> UInt64? {
            try await fixture.cluster.change { state, edit in
                try RingLeader.takeOver(reply, state, &edit, now: 1)
            }
        }
    }

    @Test("It is confirmed when no newer ring can have been in force without the nodes that have answered")
    func confirmed() async throws {
        let restored = try await Restored()
        let nodes = restored.fixture.view.storageNodes
        #expect(RingStanding(restored.state, [:]) == .unconfirmed(silent: nodes))
        let two = restored.heard(Array(nodes.prefix(2)))
        #expect(RingStanding(restored.state, two) == .unconfirmed(silent: Array(nodes.suffix(2))))
        #expect(RingStanding(restored.state, restored.heard(Array(nodes.prefix(3)))) == .newest)
        var suspected = restored.heard(nodes)
        for node in nodes.prefix(2) { suspected[node]?.verdict = .down }
        #expect(RingStanding(restored.state, suspected) == .unconfirmed(silent: Array(nodes.prefix(2))))
    }

    @Test("A single member that works by a newer ring is believed, whatever was restored")
    func outdated() async throws {
        let restored = try await Restored()
        var heard = restored.heard(restored.fixture.view.storageNodes)
        heard["storage-3"]?.epoch = 7
        #expect(RingStanding(restored.state, heard) == .outdated(by: "storage-3"))
    }

    @Test("Nothing is announced, planned or started before")
    func refused() async throws {
        let restored = try await Restored()
        for words in [["rebalance"], ["detach", "storage-1"], ["update-consistency-level", "1", "1", "1"]] {
            await #expect(throws: VerbError.self, "\(words)") {
                try await restored.fixture.json(words[0], Array(words.dropFirst()))
            }
        }
        try await restored.fixture.cluster.change { _, edit in edit.delete(ManagerKeys.ringUnconfirmed) }
        try await restored.fixture.run("detach", "storage-1")
    }

    @Test("The newer ring is taken over, with the storage nodes that it names and nobody else")
    func takenOver() async throws {
        let restored = try await Restored()
        #expect(try await restored.takeOver(restored.reply()) == 7)
        #expect(restored.fixture.view.ring == restored.newer)
        #expect(restored.fixture.view.members["storage-9"]?.publicKey == restored.fixture.key(9))
        #expect(restored.fixture.view.members["storage-8"] == nil && restored.fixture.view.members["gateway-9"] == nil)
        #expect(restored.state.ringPlan == nil)
        #expect(try await restored.takeOver(restored.reply()) == nil, "once")
    }

    @Test("What moves by it goes back to where it was")
    func moving() async throws {
        let restored = try await Restored(moving: true)
        try await restored.takeOver(restored.reply())
        let plan = try #require(restored.state.ringPlan?.plan)
        #expect(plan.phase == .returning && plan.open == [3: ["storage-1", "storage-2", "storage-9"]])
        var change = RingChange(table: restored.newer, plan: plan, level: .majority(of: 3))
        guard case .install(let table, let after) = change.next() else {
            return #expect(Bool(false), "nothing is done")
        }
        change.installed(table, after)
        #expect(after.phase == .withdrawn && table.partitions[3].next.isEmpty && table.epoch == 8)
    }

    @Test("A ring of another cluster is not taken over")
    func foreign() async throws {
        let restored = try await Restored()
        let foreign = RingTable(
            epoch: 9, hashKey: restored.newer.hashKey, partitions: Array(restored.newer.partitions.prefix(8)))!
        await #expect(throws: VerbError.self) { try await restored.takeOver(restored.reply(foreign)) }
        #expect(restored.fixture.view.epoch == 1)
    }
}
