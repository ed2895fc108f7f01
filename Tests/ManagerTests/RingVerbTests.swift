import ClusterState
import Model
import Testing
import Wire

@testable import Manager

@Suite("start, status and the consistency level")
struct RingVerbTests {
    @Test("start needs as many attached nodes as replicas")
    func tooFew() async throws {
        let fixture = try await Fixture()
        try await fixture.attach(2)
        await #expect {
            try await fixture.run("start", as: StartReport.self)
        } throws: { error in
            let message = (error as? VerbError)?.message ?? ""
            return message.contains("3 attached storage nodes, there are 2 (storage-1, storage-2)")
        }
        #expect(fixture.view.ring == nil)
    }

    @Test("start makes a ring of all attached nodes, once")
    func start() async throws {
        let fixture = try await Fixture()
        try await fixture.attach(4)
        let report = try await fixture.run("start", as: StartReport.self)
        #expect(report.nodes == ["storage-1", "storage-2", "storage-3", "storage-4"] && report.ringEpoch == 1)
        let ring = try #require(fixture.view.ring)
        #expect(ring.hashText == report.ringHashCur && ring.partitionCount == 16)
        #expect(ring.partitions.allSatisfy { Set($0.current).count == 3 && $0.next.isEmpty })
        #expect(fixture.view.storageNodes.allSatisfy { fixture.view.members[$0]?.state == .running })
        await #expect(throws: VerbError(.conflict, "Storage cluster already started")) {
            try await fixture.run("start", as: StartReport.self)
        }
        try await fixture.attach(5)
        #expect(fixture.view.members["storage-5"]?.state == .attached, "waits for a rebalance")
    }

    @Test("The consistency level changes within the number of replicas")
    func level() async throws {
        let fixture = try await Fixture()
        try await fixture.run("update-consistency-level", "1", "2", "3")
        #expect(fixture.view.consistency == ConsistencyLevel(replicas: 3, write: 1, read: 2, delete: 3))
        for bad in [["0", "1", "1"], ["4", "1", "1"], ["a", "1", "1"]] {
            await #expect(throws: VerbError.self) {
                try await fixture.json("update-consistency-level", bad)
            }
        }
        #expect(fixture.view.consistency.write == 1)
    }

    @Test("status shows every node once, storage first among the many, and never the administrator")
    func status() async throws {
        let fixture = try await Fixture()
        try await fixture.attach(3)
        let token = try await fixture.token()
        _ = try await fixture.enrol(fixture.request("gateway-1", .gateway, key: 9, token))
        let before = try await fixture.run("status", as: StatusReport.self)
        #expect(before.systemInfo.ringHashCur == "" && before.systemInfo.n == 3 && before.systemInfo.linearizable)
        #expect(before.nodeList.map(\.type) == ["M", "S", "S", "S", "G"])
        try await fixture.run("start", as: StartReport.self)
        let after = try await fixture.run("status", as: StatusReport.self)
        #expect(after.systemInfo.ringHashCur == fixture.view.ring?.hashText)
        #expect(after.nodeList.filter { $0.type == "S" }.allSatisfy { $0.state == "running" })
    }

    @Test("Arguments are counted")
    func arguments() {
        #expect(StateVerb.all["get-users"]?.argumentCounts == 0...0)
        #expect(StateVerb.all["update-acl"]?.argumentCounts == 3...3)
        #expect(StateVerb.all["import-user"]?.argumentCounts == 3...4)
    }
}
