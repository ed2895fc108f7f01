import ClusterState
import Model
import Ring
import Testing
import Wire

@testable import Manager

@Suite("Nodes that stay dead")
struct DeadNodesTests {
    private static let wait = Duration.seconds(600)

    /// A ring of this many nodes, of which some died at the time of the fixture.
    private func cluster(_ count: Int, dead: [NodeName], state: MemberState = .stopped) async throws -> Fixture {
        var fixture = try await Fixture()
        try await fixture.attach(count)
        try await fixture.run("start", as: StartReport.self)
        try await fixture.cluster.change { [now = fixture.now] manager, edit in
            for name in dead {
                var member = manager.view.members[name]!
                (member.state, member.updatedMilliseconds) = (state, now)
                edit.put(ClusterKeys.member(name), member)
            }
        }
        for name in fixture.view.storageNodes {
            fixture.liveness[name] = Liveness(verdict: dead.contains(name) ? .down : .alive)
        }
        return fixture
    }

    private func judge(_ fixture: Fixture, after seconds: Int64, wait: Duration? = Self.wait) -> DeadNodes {
        DeadNodes(fixture.view, fixture.liveness, wait: wait, now: fixture.now + 1000 * seconds)
    }

    @Test("A node is due when it has been dead for the whole time, and not before")
    func due() async throws {
        let fixture = try await cluster(5, dead: ["storage-2"])
        #expect(judge(fixture, after: 599).due.isEmpty)
        #expect(judge(fixture, after: 599).later == ["storage-2": fixture.now + 600_000])
        #expect(judge(fixture, after: 600).due == ["storage-2"])
        #expect(judge(fixture, after: 1 << 40, wait: nil) == DeadNodes(fixture.view, [:], wait: nil, now: 0))
    }

    @Test(
        "Who answers again, is suspended or is detached already is not dead",
        arguments: [MemberState.suspended, .detached])
    func notDead(state: MemberState) async throws {
        #expect(judge(try await cluster(5, dead: ["storage-2"], state: state), after: 9999).due.isEmpty)
        var alive = try await cluster(5, dead: ["storage-2"])
        alive.liveness["storage-2"] = Liveness(verdict: .alive)
        #expect(judge(alive, after: 9999).due.isEmpty)
        alive.liveness = [:]
        #expect(judge(alive, after: 9999).due.isEmpty, "this manager has just started and has heard of nobody")
    }

    @Test("Several go by one plan; never so many that fewer nodes than replicas are left")
    func several() async throws {
        let two = try await cluster(5, dead: ["storage-2", "storage-4"])
        #expect(judge(two, after: 700).due == ["storage-2", "storage-4"])
        let three = try await cluster(5, dead: ["storage-1", "storage-2", "storage-4"])
        #expect(judge(three, after: 700).due.isEmpty)
        #expect(judge(three, after: 700).indispensable == ["storage-1", "storage-2", "storage-4"])
        // An attached node takes their place.
        try await three.attach(6)
        #expect(judge(three, after: 700).due.count == 3)
    }

    @Test("The plan takes them out, marks them as detached, and waits for a plan that is open")
    func plan() async throws {
        let fixture = try await cluster(5, dead: ["storage-2", "storage-4"])
        let now = fixture.now
        let taken = try await fixture.cluster.change { state, edit in
            try RingLeader.takeOut(["storage-2", "storage-4"], state, &edit, now: now)
        }
        #expect(taken == ["storage-2", "storage-4"])
        let record = try #require(fixture.cluster.state.ringPlan)
        #expect(record.changes == ["storage-2", "storage-4"].map { "\($0) is dead: others get its replicas" })
        let plan = try #require(record.plan)
        #expect(plan.phase == .running && !plan.open.isEmpty)
        #expect(!plan.open.values.joined().contains { ["storage-2", "storage-4"].contains($0) })
        #expect(fixture.view.members["storage-2"]?.state == .detached)
        await #expect(throws: VerbError.self) {
            try await fixture.cluster.change { state, edit in
                try RingLeader.takeOut(["storage-5"], state, &edit, now: now)
            }
        }
    }

    @Test("cluster health says when, or why not")
    func health() async throws {
        func problem(_ fixture: Fixture, after seconds: Int64) -> String? {
            ClusterHealth(
                view: fixture.view, liveness: fixture.liveness, survey: .init(), deadNodeWait: Self.wait,
                now: fixture.now + 1000 * seconds
            ).report().findings.first { $0.subject == "storage-2" }?.problem
        }
        let one = try await cluster(4, dead: ["storage-2"])
        #expect(problem(one, after: 0)?.hasSuffix("others get its replicas at 2019-12-05 08:46:52 +0000") == true)
        #expect(problem(one, after: 601)?.hasSuffix("a plan is about to give others its replicas") == true)
        let few = try await cluster(3, dead: ["storage-2"])
        #expect(problem(few, after: 601)?.contains("too few nodes are left") == true)
    }
}
