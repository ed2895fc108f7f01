import ClusterState
import Model
import Testing
import Wire

@testable import Manager

@Suite("cluster health")
struct ClusterHealthTests {
    /// A started cluster in which everybody is heard.
    private func healthy(storage: Int = 3) async throws -> (view: ClusterView, liveness: [NodeName: Liveness]) {
        let fixture = try await Fixture()
        try await fixture.attach(storage)
        try await fixture.run("start", as: StartReport.self)
        let token = try await fixture.token("reusable")
        for (index, role) in [MemberRole.gateway, .replicator, .repair].enumerated() {
            _ = try await fixture.enrol(fixture.request("\(role)-1", role, key: UInt8(50 + index), token))
        }
        let names = fixture.view.members.filter { $0.value.role != .manager && $0.value.role != .admin }.keys
        return (fixture.view, Dictionary(uniqueKeysWithValues: names.map { ($0, Liveness(verdict: .alive)) }))
    }

    private func judge(
        _ view: ClusterView, _ liveness: [NodeName: Liveness], _ survey: ClusterSurvey = .init()
    ) -> HealthReport {
        ClusterHealth(view: view, liveness: liveness, survey: survey).report()
    }

    private func disk(
        _ state: String, doubt: Int = 0, free: Int = 50, reason: String? = nil
    ) -> ClusterSurvey {
        var node = ClusterSurvey.Node()
        node.disks = DiskListReport(
            disks: [
                .init(
                    name: "disk-1", path: "/srv/1", id: nil, state: state, reason: reason, weight: 1, free: free,
                    total: 100, slots: 256, slotsWanted: 256, doubtfulSlots: doubt, damagedRecords: 0)
            ],
            moves: .init(
                state: "idling", from: nil, to: nil, slotsLeft: 0, slotsMoved: 0, bytesMoved: 0, unreadable: 0,
                reason: nil))
        return ClusterSurvey(nodes: ["storage-1": node])
    }

    @Test("All is well")
    func well() async throws {
        let (view, liveness) = try await healthy()
        let report = judge(view, liveness, disk("running"))
        #expect(report.health == .ok && !report.dataAtRisk && report.findings.isEmpty)
        #expect(report.partitions.total == 16 && report.partitions.degraded == 0)
        #expect(report.nodes.total == 3 && report.nodes.running == 3 && report.nodes.down == 0)
    }

    @Test("One node down of three: degraded, and what to start")
    func oneDown() async throws {
        let (view, heard) = try await healthy()
        var liveness = heard
        liveness["storage-2"] = Liveness(verdict: .down)
        let report = judge(view, liveness)
        #expect(report.health == .degraded && !report.dataAtRisk)
        #expect(report.partitions.degraded == 16 && report.partitions.withoutWriteQuorum == 0)
        #expect(report.findings.contains { $0.subject == "cluster" && $0.action == "start storage-2" })
        #expect(report.findings.contains { $0.subject == "storage-2" && $0.problem.contains("does not answer") })
        liveness["storage-2"] = Liveness(verdict: .suspected)
        #expect(judge(view, liveness).health == .ok, "only silent")
    }

    @Test("Two down of three: no quorum and a single replica, the worst first")
    func twoDown() async throws {
        let (view, heard) = try await healthy()
        var liveness = heard
        for name in ["storage-1", "storage-3"] as [NodeName] { liveness[name] = Liveness(verdict: .down) }
        let report = judge(view, liveness)
        #expect(report.health == .critical && report.dataAtRisk)
        #expect(report.partitions.withOneReplica == 16 && report.partitions.withoutWriteQuorum == 16)
        #expect(report.partitions.withoutReadQuorum == 16)
        #expect(report.findings.prefix(3).allSatisfy { $0.grade == .critical })
        #expect(report.findings[0].action == "start storage-1, storage-3")
        #expect(report.findings.map(\.grade) == report.findings.map(\.grade).sorted(by: >))
    }

    @Test("Of five nodes, two down put only the partitions at risk that both hold")
    func someOfMany() async throws {
        let (view, heard) = try await healthy(storage: 5)
        var liveness = heard
        for name in ["storage-1", "storage-2"] as [NodeName] { liveness[name] = Liveness(verdict: .down) }
        let counts = judge(view, liveness).partitions
        let ring = try #require(view.ring)
        let both = ring.partitions.count { $0.current.contains("storage-1") && $0.current.contains("storage-2") }
        let any = ring.partitions.count { $0.current.contains("storage-1") || $0.current.contains("storage-2") }
        #expect(counts.withOneReplica == both && counts.degraded == any && both > 0 && any > both)
    }

    @Test(
        "Each state of a disk has its remedy",
        arguments: [
            ("full", "add a disk"), ("read-only", "disk drain storage-1 /srv/1"),
            ("failed", "disk replace storage-1 /srv/1"),
            ("rebuilding", ""),
        ])
    func disks(state: String, action: String) async throws {
        let (view, liveness) = try await healthy()
        let report = judge(view, liveness, disk(state, reason: "EIO"))
        #expect(report.health == .degraded && report.findings.count == 1)
        #expect(report.findings[0].subject == "storage-1:/srv/1" && report.findings[0].problem.hasSuffix(": EIO"))
        #expect(action.isEmpty ? report.findings[0].action.isEmpty : report.findings[0].action.contains(action))
    }

    @Test("Little room, doubt and damage are told")
    func contents() async throws {
        let (view, liveness) = try await healthy()
        #expect(judge(view, liveness, disk("running", free: 9)).findings.map(\.problem) == ["9 % free"])
        #expect(judge(view, liveness, disk("running", doubt: 7)).findings[0].problem.contains("7 of its 256 slots"))
        var damaged = disk("running")
        damaged.nodes["storage-1"]?.scrub = .init(disks: [], damaged: 3, intervalSeconds: 1)
        #expect(judge(view, liveness, damaged).findings[0].problem.hasPrefix("3 records cannot be read"))
        #expect(judge(view, liveness, .init(nodes: ["storage-1": .init(failure: "x")])).health == .degraded)
    }

    @Test("Doubt beside a node that is down puts data at risk")
    func doubtAndDown() async throws {
        let (view, heard) = try await healthy()
        var liveness = heard
        #expect(!judge(view, liveness, disk("running", doubt: 1)).dataAtRisk)
        liveness["storage-3"] = Liveness(verdict: .down)
        let report = judge(view, liveness, disk("running", doubt: 1))
        #expect(report.health == .critical && report.dataAtRisk)
    }

    @Test("Missed writes are a note while all answer, and more when somebody is down")
    func hints() async throws {
        let (view, heard) = try await healthy()
        var liveness = heard
        var survey = disk("running")
        survey.nodes["storage-1"]?.queues = QueuesReport(mqStats: [
            .init(id: "hints", state: "running", messages: 5, description: "")
        ])
        let report = judge(view, liveness, survey)
        #expect(report.health == .ok && report.waitingHints == 5 && report.findings.count == 1)
        liveness["storage-2"] = Liveness(verdict: .down)
        #expect(
            judge(view, liveness, survey).findings.contains {
                $0.grade == .degraded && $0.problem.hasPrefix("5 missed")
            })
        survey.nodes["replicator-1"] = ClusterSurvey.Node(
            queues: QueuesReport(mqStats: [
                .init(id: "hints@storage-1", state: "suspending", messages: 5, description: "")
            ]))
        #expect(
            judge(view, liveness, survey).findings.contains {
                $0.action == "martlet-adm mq-resume replicator-1 hints@storage-1"
            })
    }

    @Test("A cluster without a ring, without gateways, without repair")
    func missing() async throws {
        let empty = try await Fixture()
        let report = judge(empty.view, [:])
        #expect(report.health == .critical && report.findings[0].action.contains("martlet-adm start"))
        let (view, heard) = try await healthy()
        var liveness = heard
        liveness["gateway-1"] = Liveness(verdict: .down)
        let unserved = judge(view, liveness)
        #expect(unserved.health == .critical && !unserved.dataAtRisk)
        #expect(unserved.findings.contains { $0.subject == "gateway-1" && $0.action.contains("remove-node gateway-1") })
        liveness["gateway-1"] = Liveness(verdict: .alive)
        liveness["repair-1"] = Liveness(verdict: .down)
        #expect(judge(view, liveness).health == .degraded)
    }
}
