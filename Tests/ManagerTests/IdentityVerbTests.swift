import Checksums
import ClusterState
import Model
import Testing
import Wire

@testable import Manager

@Suite("Projects, roles and containers")
struct IdentityVerbTests {
    /// Of the password "secret", made once.
    private static let hash = PasswordHash(of: "secret").description

    private func fixture() async throws -> (Fixture, ProjectReport) {
        let fixture = try await Fixture()
        let project = try await fixture.run("create-project", "backups", "id=p1", as: ProjectReport.self)
        try await fixture.run(
            "create-user", "alice", "password=\(Self.hash)", "project=backups", as: CreatedUserReport.self)
        return (fixture, project)
    }

    @Test("A user with a password and a role in a project")
    func createUser() async throws {
        let (fixture, project) = try await fixture()
        let user = try #require(fixture.view.user(id: "alice"))
        #expect(user.defaultProject == project.projectId)
        #expect(user.roles == [RoleAssignment(project: "p1", role: "swiftoperator")])
        #expect(PasswordHash(String(decoding: user.passwordHash, as: UTF8.self))?.matches("secret") == true)
        // The keys of a user who exists are replaced, and nothing else.
        try await fixture.run("import-user", "alice", "ACCESS", "secret-key", "force", as: CreatedUserReport.self)
        let again = try #require(fixture.view.user(id: "alice"))
        #expect(again.passwordHash == user.passwordHash && again.roles == user.roles && again.accessKeyId == "ACCESS")
    }

    @Test("What is no hash of a password, and a project that does not exist, are refused; nothing is half done")
    func refusals() async throws {
        let (fixture, _) = try await fixture()
        for arguments in [["bob", "password=secret"], ["bob", "project=none"]] {
            await #expect(throws: VerbError.self) { try await fixture.json("create-user", arguments) }
        }
        #expect(fixture.view.user(id: "bob") == nil)
        for arguments in [["backups"], ["other", "id=p1"], ["a/b"], ["ok", "id=a/b"]] {
            await #expect(throws: VerbError.self) { try await fixture.json("create-project", arguments) }
        }
    }

    @Test("A new password ends the tokens from before")
    func password() async throws {
        let (fixture, _) = try await fixture()
        try await fixture.run("update-user-password", "alice", PasswordHash(of: "other").description)
        let user = try #require(fixture.view.user(id: "alice"))
        #expect(user.tokensFromMilliseconds == fixture.now)
        #expect(PasswordHash(String(decoding: user.passwordHash, as: UTF8.self))?.matches("other") == true)
    }

    @Test("The last role in a project takes what the user has there with it")
    func removeRole() async throws {
        let (fixture, _) = try await fixture()
        _ = try await fixture.run(
            "create-application-credential", "alice", "backups", "nightly", Self.hash,
            as: ApplicationCredentialReport.self)
        try await fixture.run("add-role", "alice", "backups", "reader")
        try await fixture.run("remove-role", "alice", "backups", "reader")
        #expect(fixture.view.user(id: "alice")?.applicationCredentials.count == 1)
        try await fixture.run("remove-role", "alice", "backups", "swiftoperator")
        let user = try #require(fixture.view.user(id: "alice"))
        #expect(user.applicationCredentials.isEmpty && user.roles.isEmpty && user.defaultProject.isEmpty)
    }

    @Test("An application credential has no roles that its user has not")
    func applicationCredential() async throws {
        let (fixture, _) = try await fixture()
        await #expect(throws: VerbError.self) {
            try await fixture.json(
                "create-application-credential", ["alice", "backups", "nightly", Self.hash, "roles=admin"])
        }
    }

    @Test("A token is revoked once; beyond the limit of the list all tokens of the user are")
    func revocation() async throws {
        let (fixture, _) = try await fixture()
        let id = String(repeating: "ab", count: 16)
        let request = RevokeTokenRequest(id: id, user: "alice", expiresMilliseconds: fixture.now + 1000)
        let context = fixture.context
        for _ in 0..<2 {
            try await fixture.cluster.change { state, edit in
                try IdentityChanges.revoke(request, state, &edit, context)
            }
        }
        #expect(fixture.view.revokedTokens.keys.elementsEqual([id]))
        // One that has ended by itself is forgotten with the next revocation.
        var later = context
        later.now += 2000
        let next = RevokeTokenRequest(
            id: String(repeating: "cd", count: 16), user: "alice", expiresMilliseconds: later.now + 1000)
        try await fixture.cluster.change { [later] state, edit in
            try IdentityChanges.revoke(next, state, &edit, later)
        }
        #expect(fixture.view.revokedTokens.keys.elementsEqual([next.id]))
    }

    // MARK: - Containers

    private func container(_ name: String, _ project: String = "p1") -> ChangeBucketRequest {
        ChangeBucketRequest(change: .containerCreate, name: name, owner: "alice", project: project)
    }

    @Test("A container has its own name when S3 allows it and it is free, else a qualified one")
    func containerNames() async throws {
        let (fixture, _) = try await fixture()
        try await fixture.run("create-user", "bob", as: CreatedUserReport.self)
        _ = try await fixture.change(.init(change: .bucketCreate, name: "photos", owner: "bob"))
        let cases = [
            ("films", "films"), ("photos", "p1/photos"), ("Für mich", "p1/F%C3%BCr%20mich"),
        ]
        for (name, expected) in cases {
            let reply = try await fixture.change(container(name))
            #expect(reply.outcome == .bucketChanged && reply.bucket?.name == expected)
            #expect(reply.bucket?.containerName == name)
            #expect(fixture.view.container(name, project: "p1")?.name == expected)
            #expect(try await fixture.change(container(name)).outcome == .bucketExistsOwned)
        }
    }

    @Test("Names that are equal to Unicode and differ in bytes are two containers")
    func unicodeNames() async throws {
        let (fixture, _) = try await fixture()
        #expect(try await fixture.change(container("caf\u{E9}")).outcome == .bucketChanged)
        #expect(try await fixture.change(container("cafe\u{301}")).outcome == .bucketChanged)
        #expect(fixture.view.containers(project: "p1").count == 2)
    }

    @Test("A bucket of S3 is a container of its owner's project, unless the account has one of this name")
    func buckets() async throws {
        let (fixture, _) = try await fixture()
        try await fixture.run("create-user", "bob", as: CreatedUserReport.self)
        _ = try await fixture.change(.init(change: .bucketCreate, name: "photos", owner: "bob"))
        _ = try await fixture.change(container("photos"))
        let made = try await fixture.change(.init(change: .bucketCreate, name: "films", owner: "alice"))
        #expect(made.bucket?.project == "p1" && fixture.view.container("films", project: "p1") != nil)
        _ = try await fixture.change(.init(change: .bucketDeleteBegin, name: "photos"))
        _ = try await fixture.change(.init(change: .bucketDeleteFinish, name: "photos"))
        let other = try await fixture.change(.init(change: .bucketCreate, name: "photos", owner: "alice"))
        #expect(other.outcome == .bucketChanged && other.bucket?.project == "")
        #expect(fixture.view.container("photos", project: "p1")?.name == "p1/photos")
    }

    @Test("Headers are merged: those without a value go")
    func headers() async throws {
        let (fixture, _) = try await fixture()
        var request = container("films")
        request.headers = [
            SwiftHeader(name: "x-container-meta-a", value: "1"), SwiftHeader(name: "x-container-read", value: ".r:*"),
        ]
        _ = try await fixture.change(request)
        let change = ChangeBucketRequest(
            change: .containerSetHeaders, name: "films",
            headers: [
                SwiftHeader(name: "x-container-read", value: ""), SwiftHeader(name: "x-container-meta-b", value: "2"),
            ])
        #expect(try await fixture.change(change).outcome == .bucketChanged)
        #expect(
            fixture.view.buckets["films"]?.headers == [
                SwiftHeader(name: "x-container-meta-a", value: "1"),
                SwiftHeader(name: "x-container-meta-b", value: "2"),
            ])
        let large = SwiftHeader(name: "x-container-meta-c", value: String(repeating: "x", count: 17 << 10))
        await #expect(throws: VerbError.self) {
            try await fixture.change(.init(change: .containerSetHeaders, name: "films", headers: [large]))
        }
    }

    @Test("A project with containers stays")
    func deleteProject() async throws {
        let (fixture, _) = try await fixture()
        _ = try await fixture.change(container("films"))
        await #expect(throws: VerbError.self) { try await fixture.run("delete-project", "backups") }
        _ = try await fixture.change(.init(change: .bucketDeleteBegin, name: "films"))
        _ = try await fixture.change(.init(change: .bucketDeleteFinish, name: "films"))
        try await fixture.run("delete-project", "backups")
        #expect(fixture.view.projects.isEmpty && fixture.view.user(id: "alice")?.roles == [])
    }
}
