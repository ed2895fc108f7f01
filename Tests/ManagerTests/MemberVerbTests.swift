import ClusterState
import Model
import Testing
import Wire

@testable import Manager

@Suite("suspend, resume and the removal of members")
struct MemberVerbTests {
    /// A started cluster of three nodes and a gateway.
    private func started() async throws -> Fixture {
        let fixture = try await Fixture()
        try await fixture.attach(3)
        try await fixture.run("start", as: StartReport.self)
        _ = try await fixture.enrol(fixture.request("gateway-1", .gateway, key: 9, try await fixture.token()))
        return fixture
    }

    private func set(_ fixture: Fixture, _ name: NodeName, _ state: MemberState) async throws {
        try await fixture.cluster.change { current, edit in
            var member = current.view.members[name]!
            member.state = state
            edit.put(ClusterKeys.member(name), member)
        }
    }

    private func refusal(_ fixture: Fixture, _ verb: String, _ arguments: String...) async -> VerbError? {
        do {
            _ = try await fixture.json(verb, arguments)
            return nil
        } catch { return error as? VerbError }
    }

    @Test("A suspended node stays so until it is resumed")
    func suspend() async throws {
        var fixture = try await started()
        try await fixture.run("suspend", "storage-1")
        #expect(fixture.view.members["storage-1"]?.state == .suspended)
        #expect(fixture.view.absentNodes == ["storage-1"])
        fixture.liveness = ["storage-1": Liveness(verdict: .alive)]
        try await fixture.run("resume", "storage-1")
        #expect(fixture.view.members["storage-1"]?.state == .running && fixture.view.absentNodes.isEmpty)
        fixture.liveness = ["storage-1": Liveness(verdict: .down)]
        try await fixture.run("suspend", "storage-1")
        try await fixture.run("resume", "storage-1")
        #expect(fixture.view.members["storage-1"]?.state == .stopped, "it does not answer")
    }

    @Test("A node whose absence would cost a write quorum is suspended by force only")
    func quorum() async throws {
        let fixture = try await started()
        try await set(fixture, "storage-2", .stopped)
        let refused = await refusal(fixture, "suspend", "storage-1")
        #expect(refused?.status == .conflict)
        #expect(refused?.message.contains("16 of 16 partitions would have no write quorum") == true)
        #expect(fixture.view.members["storage-1"]?.state == .running)
        try await fixture.run("suspend", "storage-1", "force")
        #expect(fixture.view.members["storage-1"]?.state == .suspended)
    }

    @Test("Only what makes sense is suspended and resumed")
    func senseless() async throws {
        let fixture = try await started()
        #expect(await refusal(fixture, "suspend", "storage-9")?.status == .notFound)
        #expect(await refusal(fixture, "suspend", "gateway-1")?.status == .conflict)
        #expect(await refusal(fixture, "suspend", "storage-1", "please")?.status == .invalidArgument)
        #expect(await refusal(fixture, "resume", "storage-1")?.status == .conflict)
        try await set(fixture, "storage-1", .detached)
        #expect(await refusal(fixture, "suspend", "storage-1")?.status == .conflict)
        try await set(fixture, "storage-1", .restarted)
        try await fixture.run("resume", "storage-1")
        #expect(fixture.view.members["storage-1"]?.state == .stopped)
    }

    @Test("A removed process is forgotten and its key enrols no more; its name may, with another key")
    func remove() async throws {
        let fixture = try await started()
        try await fixture.run("remove-gateway", "gateway-1")
        #expect(fixture.view.members["gateway-1"] == nil)
        #expect(fixture.cluster.peer(publicKey: fixture.key(9)) == nil, "the bus refuses its key")
        let token = try await fixture.token("reusable")
        for name in ["gateway-1", "gateway-2"] {
            await #expect(throws: VerbError.self) {
                try await fixture.enrol(fixture.request(name, .gateway, key: 9, token))
            }
        }
        _ = try await fixture.enrol(fixture.request("gateway-1", .gateway, key: 10, token))
        #expect(fixture.view.members["gateway-1"]?.publicKey == fixture.key(10))
    }

    @Test("Who runs and who holds replicas is not removed")
    func kept() async throws {
        var fixture = try await started()
        #expect(await refusal(fixture, "remove-node", "storage-1")?.message.contains("detach") == true)
        #expect(await refusal(fixture, "remove-gateway", "storage-1")?.message.contains("no gateway") == true)
        #expect(await refusal(fixture, "remove-node", "manager")?.status == .conflict)
        fixture.liveness = ["gateway-1": Liveness(verdict: .alive)]
        #expect(await refusal(fixture, "remove-gateway", "gateway-1")?.message.contains("stop it first") == true)
        try await fixture.attach(4)
        #expect(await refusal(fixture, "remove-node", "storage-4")?.message.contains("attached") == true)
        try await set(fixture, "storage-4", .stopped)
        try await fixture.run("remove-node", "storage-4")
        #expect(fixture.view.members["storage-4"] == nil)
    }
}
