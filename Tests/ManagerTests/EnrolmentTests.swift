import ClusterState
import Model
import Testing
import Wire

@testable import Manager

@Suite("Enrolment")
struct EnrolmentTests {
    @Test("A process with a token becomes a member with a writer id of its own")
    func good() async throws {
        let fixture = try await Fixture()
        let token = try await fixture.token("reusable")
        let first = try await fixture.enrol(fixture.request("storage-1", key: 1, token))
        let second = try await fixture.enrol(fixture.request("gateway-1", .gateway, key: 2, token))
        #expect(first.clusterId == fixture.view.settings?.clusterId && first.managerName == "manager")
        #expect(first.writer != second.writer && first.writer > 0)
        #expect(first.masterKey.isEmpty, "storage nodes cannot open secrets")
        #expect(second.masterKey == fixture.masterKey.bytes)
        let member = try #require(fixture.view.members["storage-1"])
        #expect(
            member.state == .attached && member.publicKey == fixture.key(1) && member.address == "tcp://storage-1:1")
        #expect(fixture.view.members["gateway-1"]?.state == .stopped, "not running before it was heard")
    }

    @Test("An unknown token, a wrong secret, or a proof for something else is refused")
    func bad() async throws {
        let fixture = try await Fixture()
        let token = try await fixture.token()
        var unknown = token
        unknown.id = String(repeating: "0", count: 32)
        var wrong = token
        wrong.secret[0] ^= 1
        var stolen = fixture.request("storage-1", key: 1, token)
        stolen.publicKey = fixture.key(9)
        for request in [
            fixture.request("storage-1", key: 1, unknown), fixture.request("storage-1", key: 1, wrong), stolen,
        ] {
            await #expect(throws: VerbError(.forbidden, "the join token is not valid")) {
                try await fixture.enrol(request)
            }
        }
        #expect(fixture.view.storageNodes.isEmpty)
    }

    @Test("An expired token is refused")
    func expired() async throws {
        var fixture = try await Fixture()
        let token = try await fixture.token("hours=1")
        fixture.now += 3_600_001
        await #expect(throws: VerbError.self) { try await fixture.enrol(fixture.request("storage-1", key: 1, token)) }
    }

    @Test("A one-time token is for one process, which may repeat its request")
    func replay() async throws {
        let fixture = try await Fixture()
        let token = try await fixture.token()
        let request = fixture.request("storage-1", key: 1, token)
        let first = try await fixture.enrol(request)
        #expect(try await fixture.enrol(request) == first, "the answer may have been lost")
        await #expect(throws: VerbError(.forbidden, "the join token was used before")) {
            try await fixture.enrol(fixture.request("storage-2", key: 2, token))
        }
        await #expect(throws: VerbError(.forbidden, "the join token was used before")) {
            try await fixture.enrol(fixture.request("storage-1", key: 2, token))
        }
    }

    @Test("A known name keeps its key unless the administrator allows a new one")
    func replacement() async throws {
        let fixture = try await Fixture()
        let token = try await fixture.token("reusable")
        let first = try await fixture.enrol(fixture.request("storage-1", key: 1, token))
        await #expect(throws: VerbError.self) {
            try await fixture.enrol(fixture.request("storage-1", key: 2, token))
        }
        await #expect(throws: VerbError.self, "another role") {
            try await fixture.enrol(fixture.request("storage-1", .gateway, key: 1, token))
        }
        await #expect(throws: VerbError.self, "another name for a known key") {
            try await fixture.enrol(fixture.request("storage-2", key: 1, token))
        }
        let permit = try await fixture.token("replace", "name=storage-1")
        let second = try await fixture.enrol(fixture.request("storage-1", key: 2, permit))
        #expect(second.writer != first.writer, "a new process never repeats ballots of the old one")
        #expect(fixture.view.members["storage-1"]?.publicKey == fixture.key(2))
        await #expect(throws: VerbError.self) {
            try await fixture.enrol(fixture.request("storage-9", key: 9, try await fixture.token("name=storage-8")))
        }
    }

    @Test("A node of the ring cannot be replaced under its name: its votes would be forgotten")
    func replacementInRing() async throws {
        let fixture = try await Fixture()
        try await fixture.attach(3)
        try await fixture.run("start", as: StartReport.self)
        let permit = try await fixture.token("replace", "name=storage-1")
        await #expect(throws: VerbError.self) {
            try await fixture.enrol(fixture.request("storage-1", key: 77, permit))
        }
        #expect(fixture.view.members["storage-1"]?.publicKey != fixture.key(77))
    }

    @Test("No token makes a manager or an administrator")
    func roles() async throws {
        let fixture = try await Fixture()
        let token = try await fixture.token("reusable")
        for role in [MemberRole.manager, .admin, .roleUnspecified] {
            await #expect(throws: VerbError.self) { try await fixture.enrol(fixture.request("x", role, key: 3, token)) }
        }
        await #expect(throws: VerbError.self) { try await fixture.enrol(fixture.request("a b", key: 3, token)) }
    }

    @Test("A member announces new addresses of its own only")
    func announcement() async throws {
        let fixture = try await Fixture()
        try await fixture.attach(2)
        let before = fixture.view.revision
        let request = EnrolRequest(name: "storage-1", role: .storage, address: "tcp://new:1", publisher: "tcp://new:2")
        let reply = try await fixture.announce(request, from: "storage-1")
        #expect(reply.writer == fixture.view.members["storage-1"]?.writer)
        #expect(fixture.view.members["storage-1"]?.address == "tcp://new:1")
        #expect(fixture.view.revision == before + 1)
        _ = try await fixture.announce(request, from: "storage-1")
        #expect(fixture.view.revision == before + 1, "nothing new is not written")
        await #expect(throws: VerbError.self) { try await fixture.announce(request, from: "storage-2") }
    }
}
