import ClusterState
import Model
import Testing
import Wire

@testable import Manager

@Suite("Verbs of users and buckets")
struct VerbTests {
    @Test("A new user gets keys as long as LeoFS's, and the secret is sealed")
    func createUser() async throws {
        let fixture = try await Fixture()
        let keys = try await fixture.run("create-user", "alice", as: CreatedUserReport.self)
        #expect(keys.accessKeyId.count == 20 && keys.secretAccessKey.count == 40)
        let user = try #require(fixture.view.user(accessKey: keys.accessKeyId))
        #expect(user.id == "alice" && user.role == 1)
        #expect(try fixture.masterKey.unseal(user.sealedSecret) == Array(keys.secretAccessKey.utf8))
        await #expect(throws: VerbError(.conflict, "Already exists")) {
            try await fixture.run("create-user", "alice", as: CreatedUserReport.self)
        }
        await #expect(throws: VerbError.self) {
            try await fixture.run("create-user", "a/b", as: CreatedUserReport.self)
        }
    }

    @Test("Imported keys are used as given; another user's access key is refused")
    func importUser() async throws {
        let fixture = try await Fixture()
        try await fixture.run("import-user", "alice", "05236", "802562235", as: CreatedUserReport.self)
        #expect(fixture.view.user(accessKey: "05236")?.id == "alice")
        await #expect(throws: VerbError(.conflict, "The access key id belongs to user alice")) {
            try await fixture.run("import-user", "bob", "05236", "802562235", as: CreatedUserReport.self)
        }
        await #expect(throws: VerbError(.conflict, "Already exists")) {
            try await fixture.run("import-user", "alice", "99999", "802562235", as: CreatedUserReport.self)
        }
        try await fixture.run("update-user-role", "alice", "9")
        try await fixture.run("import-user", "alice", "99999", "802562235", "force", as: CreatedUserReport.self)
        #expect(fixture.view.user(accessKey: "05236") == nil && fixture.view.user(accessKey: "99999")?.role == 9)
    }

    @Test("get-users lists in order, without secrets")
    func getUsers() async throws {
        let fixture = try await Fixture()
        for name in ["bob", "alice"] { try await fixture.run("create-user", name, as: CreatedUserReport.self) }
        try await fixture.run("update-user-role", "bob", "9")
        let users = try await fixture.run("get-users", as: UsersReport.self).users
        #expect(users.map(\.userId) == ["alice", "bob"] && users.map(\.roleId) == [1, 9])
        #expect(users[0].createdAt == "2019-12-05 08:36:52 +0000")
        await #expect(throws: VerbError.self) { try await fixture.run("update-user-role", "bob", "5") }
        await #expect(throws: VerbError(.notFound, "User not found")) {
            try await fixture.run("update-user-role", "carol", "1")
        }
    }

    @Test("A user who owns a bucket is not deleted")
    func deleteUser() async throws {
        let fixture = try await Fixture()
        let key = try await fixture.run("create-user", "alice", as: CreatedUserReport.self).accessKeyId
        try await fixture.run("add-bucket", "photos", key)
        await #expect(throws: VerbError.self) { try await fixture.run("delete-user", "alice") }
        _ = try await fixture.change(.init(change: .bucketDeleteBegin, name: "photos"))
        _ = try await fixture.change(.init(change: .bucketDeleteFinish, name: "photos"))
        try await fixture.run("delete-user", "alice")
        #expect(fixture.view.users.isEmpty)
    }

    @Test("Buckets are made, listed, given away and opened")
    func buckets() async throws {
        let fixture = try await Fixture()
        let alice = try await fixture.run("create-user", "alice", as: CreatedUserReport.self).accessKeyId
        let bob = try await fixture.run("create-user", "bob", as: CreatedUserReport.self).accessKeyId
        try await fixture.run("add-bucket", "photos", alice)
        await #expect(throws: VerbError(.conflict, "Already exists")) {
            try await fixture.run("add-bucket", "photos", bob)
        }
        await #expect(throws: VerbError(.notFound, "Access key not found")) {
            try await fixture.run("add-bucket", "films", "nobody")
        }
        await #expect(throws: VerbError.self) { try await fixture.run("add-bucket", "Bad_Name", alice) }
        await #expect(throws: VerbError.self) { try await fixture.run("update-acl", "photos", bob, "public-read") }
        try await fixture.run("update-acl", "photos", alice, "public-read-write")
        try await fixture.run("chown-bucket", "photos", bob)
        let all = try await fixture.run("get-buckets", as: BucketsReport.self).buckets
        #expect(all.map(\.owner) == ["bob"])
        #expect(all[0].permissions == "Me(full_control), Everyone(read,write)")
        #expect(all[0].redundancyMethod == "copy, {n:3, w:2, r:2, d:2}")
        #expect(try await fixture.run("get-bucket", alice, as: BucketsReport.self).buckets.isEmpty)
        #expect(try await fixture.run("get-bucket", bob, as: BucketsReport.self).buckets.map(\.bucket) == ["photos"])
    }

    @Test("Endpoints are host names")
    func endpoints() async throws {
        let fixture = try await Fixture()
        try await fixture.run("add-endpoint", "S3.Example.org")
        #expect(fixture.view.endpoints == ["s3.example.org"])
        let listed = try await fixture.run("get-endpoints", as: EndpointsReport.self).endpoints
        #expect(listed.map(\.createdAt) == ["2019-12-05 08:36:52 +0000"])
        await #expect(throws: VerbError.self) { try await fixture.run("add-endpoint", "s3.example.org") }
        await #expect(throws: VerbError.self) { try await fixture.run("add-endpoint", "a/b") }
        try await fixture.run("delete-endpoint", "s3.example.org")
        #expect(fixture.view.endpoints.isEmpty)
    }
}
