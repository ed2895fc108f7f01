import ClusterState
import Model
import Ring
import Testing
import Wire

@testable import Manager

@Suite("Announced changes of the ring, and the plan that carries them out")
struct RingPlanVerbTests {
    /// A ring of this many nodes, and one more that is attached.
    private func cluster(_ count: Int) async throws -> Fixture {
        let fixture = try await Fixture()
        try await fixture.attach(count)
        try await fixture.run("start", as: StartReport.self)
        try await fixture.attach(count + 1)
        return fixture
    }

    private func phase(_ fixture: Fixture) -> RingPlan.Phase? { fixture.cluster.state.ringPlan?.plan?.phase }

    @Test("a dry run says what would move and changes nothing")
    func dryRun() async throws {
        let fixture = try await cluster(3)
        let report = try await fixture.run("rebalance", "dry-run", as: RebalanceReport.self)
        #expect(report.changes == ["attach storage-4"] && report.moves == 12 && report.partitions == 12)
        #expect(report.nodes.map(\.gets) == [0, 0, 0, 12] && report.nodes.map(\.gives) == [4, 4, 4, 0])
        #expect(fixture.cluster.state.ringPlan == nil && fixture.view.epoch == 1)
    }

    @Test("rebalance stores a plan; the ring itself does not change with it")
    func rebalance() async throws {
        let fixture = try await cluster(3)
        let report = try await fixture.run("rebalance", as: RebalanceReport.self)
        #expect(report.phase == "running" && report.partitionsLeft == 12 && report.partitionsMoving == 0)
        let plan = try #require(fixture.cluster.state.ringPlan?.plan)
        #expect(plan.id == 1 && plan.open.count == 12 && plan.open.values.allSatisfy { $0.contains("storage-4") })
        #expect(fixture.view.epoch == 1)
        await #expect(throws: VerbError(.conflict, "plan 1 is running: see rebalance-status")) {
            try await fixture.json("rebalance", [])
        }
        await #expect(throws: VerbError.self) { try await fixture.json("detach", ["storage-1"]) }
    }

    @Test("detach and takeover are announced, carried out as one plan, and can be taken back")
    func announcements() async throws {
        let fixture = try await cluster(5)
        try await fixture.run("takeover", "storage-2", "storage-6")
        try await fixture.run("detach", "storage-1")
        #expect(fixture.view.members["storage-1"]?.state == .detached)
        let both = try await fixture.run("rebalance", "dry-run", as: RebalanceReport.self)
        #expect(both.changes == ["detach storage-1", "storage-6 takes over storage-2"])
        try await fixture.run("rollback", "storage-1")
        let one = try await fixture.run("rebalance", "dry-run", as: RebalanceReport.self)
        #expect(one.changes == ["storage-6 takes over storage-2"])
        let held = fixture.view.ring!.partitions(of: "storage-2").count
        #expect(one.moves == held && one.partitions == held)
        try await fixture.run("rebalance", as: RebalanceReport.self)
        #expect(fixture.cluster.state.takeovers.isEmpty)
    }

    @Test(
        "what cannot be announced is refused",
        arguments: [
            ["detach", "storage-4"], ["detach", "storage-9"], ["takeover", "storage-1", "storage-2"],
            ["rollback", "storage-1"], ["weight", "storage-1", "0"], ["weight", "storage-1", "x"],
            ["rebalance", "now"],
            ["rebalance-pause"], ["rebalance-rollback"],
        ])
    func refused(words: [String]) async throws {
        let fixture = try await cluster(3)
        await #expect(throws: VerbError.self) { try await fixture.json(words[0], Array(words.dropFirst())) }
    }

    @Test("fewer nodes than replicas are never planned")
    func tooFew() async throws {
        let fixture = try await Fixture()
        try await fixture.attach(3)
        try await fixture.run("start", as: StartReport.self)
        try await fixture.run("detach", "storage-1")
        await #expect(throws: VerbError.self) { try await fixture.json("rebalance", []) }
    }

    @Test("weights and zones count from the next plan on")
    func weights() async throws {
        let fixture = try await cluster(4)
        try await fixture.run("weight", "storage-5", "1000")
        try await fixture.run("zone", "storage-5", "rack-b")
        let report = try await fixture.run("rebalance", "dry-run", as: RebalanceReport.self)
        #expect(report.nodes.last?.gets == 16)
    }

    @Test("another number of replicas is announced with its level, and brought about by the next plan")
    func replicas() async throws {
        let fixture = try await cluster(4)
        await #expect(throws: VerbError(.conflict, "Not satisfy conditions: 6 replicas need 6 nodes, there are 5")) {
            try await fixture.json("update-consistency-level", ["4", "4", "4", "6"])
        }
        try await fixture.run("update-consistency-level", "3", "3", "3", "5")
        #expect(fixture.view.consistency == .majority(of: 5))
        #expect(fixture.view.ring!.partitions.allSatisfy { $0.current.count == 3 })
        let report = try await fixture.run("rebalance", as: RebalanceReport.self)
        #expect(report.changes == ["attach storage-5", "5 replicas of each object"] && report.moves == 32)
        let plan = try #require(fixture.cluster.state.ringPlan?.plan)
        #expect(plan.open.count == 16 && plan.open.values.allSatisfy { Set($0).count == 5 })
        await #expect(throws: VerbError(.conflict, "plan 1 is running: see rebalance-status")) {
            try await fixture.json("update-consistency-level", ["1", "1", "1"])
        }
    }

    @Test("fewer replicas are a plan as well, in which nodes only give")
    func fewerReplicas() async throws {
        let fixture = try await Fixture()
        try await fixture.attach(4)
        try await fixture.run("start", as: StartReport.self)
        try await fixture.run("update-consistency-level", "2", "2", "2", "2")
        let report = try await fixture.run("rebalance", as: RebalanceReport.self)
        #expect(report.moves == 0 && report.partitions == 16 && report.nodes.map(\.gives) == [4, 4, 4, 4])
    }

    @Test("what would move is estimated from what nodes hold")
    func sizes() async throws {
        let fixture = try await cluster(3)
        let ring = try #require(fixture.view.ring)
        let plan = try RingGoal(fixture.cluster.state, ring).plan(fixture.cluster.state, ring)
        var report = RebalanceReport(RingPlanRecord(plan, changes: [], now: 0), plan, ring)
        // Every node holds all 16 partitions; the new one gets 12.
        let usage: [NodeName: RebalanceReport.Usage] = [
            "storage-1": .init(objects: 160, bytes: 16_000), "storage-2": .init(objects: 320, bytes: 32_000),
        ]
        report.estimate(plan.moves(from: ring), ring, usage)
        #expect(
            report.nodes.map(\.getsObjects) == [0, 0, 0, 180] && report.nodes.map(\.getsBytes) == [0, 0, 0, 18_000])
        report.estimate(plan.moves(from: ring), ring, [:])
        #expect(report.nodes.last?.getsBytes == 0)
    }

    @Test("a plan is paused, resumed and taken back")
    func steering() async throws {
        let fixture = try await cluster(3)
        try await fixture.run("rebalance", as: RebalanceReport.self)
        try await fixture.run("rebalance-pause", as: RebalanceReport.self)
        #expect(phase(fixture) == .paused)
        try await fixture.run("rebalance-resume", as: RebalanceReport.self)
        #expect(phase(fixture) == .running)
        try await fixture.run("rebalance-rollback", as: RebalanceReport.self)
        #expect(phase(fixture) == .withdrawn)
        let again = try await fixture.run("rebalance", as: RebalanceReport.self)
        #expect(again.plan == 2 && again.phase == "running")
    }
}
