import ClusterState
import Model
import Testing
import Wire

@testable import Manager

@Suite("Changes of buckets")
struct BucketChangeTests {
    private func fixture() async throws -> Fixture {
        let fixture = try await Fixture()
        for name in ["alice", "bob"] { try await fixture.run("create-user", name, as: CreatedUserReport.self) }
        return fixture
    }

    @Test("Creation tells whose bucket is there already")
    func create() async throws {
        let fixture = try await fixture()
        let request = ChangeBucketRequest(change: .bucketCreate, name: "photos", owner: "alice", acl: "public-read")
        let made = try await fixture.change(request)
        #expect(made.outcome == .bucketChanged && made.bucket?.id.count == 16 && made.bucket?.acl == "public-read")
        let again = try await fixture.change(request)
        #expect(again.outcome == .bucketExistsOwned && again.bucket == made.bucket)
        let foreign = try await fixture.change(.init(change: .bucketCreate, name: "photos", owner: "bob"))
        #expect(foreign.outcome == .bucketExistsForeign)
        await #expect(throws: VerbError.self) {
            try await fixture.change(.init(change: .bucketCreate, name: "films", owner: "carol"))
        }
    }

    @Test("A user has a bounded number of buckets")
    func limit() async throws {
        let fixture = try await fixture()
        for name in ["one", "two", "three"] {
            _ = try await fixture.change(.init(change: .bucketCreate, name: name, owner: "alice"))
        }
        #expect(
            try await fixture.change(.init(change: .bucketCreate, name: "four", owner: "alice")).outcome == .bucketLimit
        )
        #expect(
            try await fixture.change(.init(change: .bucketCreate, name: "four", owner: "bob")).outcome == .bucketChanged
        )
    }

    @Test("Deletion: begin, then finish or cancel; each may be repeated")
    func deletion() async throws {
        let fixture = try await fixture()
        _ = try await fixture.change(.init(change: .bucketCreate, name: "photos", owner: "alice"))
        #expect(try await fixture.change(.init(change: .bucketDeleteFinish, name: "photos")).outcome == .bucketBusy)
        for _ in 0..<2 {
            let begun = try await fixture.change(.init(change: .bucketDeleteBegin, name: "photos", owner: "alice"))
            #expect(begun.outcome == .bucketChanged && begun.bucket?.state == .bucketDeleting)
        }
        #expect(
            try await fixture.change(.init(change: .bucketCreate, name: "photos", owner: "alice")).outcome
                == .bucketBusy)
        #expect(
            try await fixture.change(.init(change: .bucketSetAcl, name: "photos", acl: "private")).outcome
                == .bucketBusy)
        for _ in 0..<2 {
            let cancelled = try await fixture.change(.init(change: .bucketDeleteCancel, name: "photos"))
            #expect(cancelled.outcome == .bucketChanged && cancelled.bucket?.state == .bucketActive)
        }
        _ = try await fixture.change(.init(change: .bucketDeleteBegin, name: "photos"))
        #expect(try await fixture.change(.init(change: .bucketDeleteFinish, name: "photos")).outcome == .bucketChanged)
        #expect(try await fixture.change(.init(change: .bucketDeleteFinish, name: "photos")).outcome == .bucketAbsent)
    }

    @Test("A late finish does not delete a newer bucket of that name")
    func lateFinish() async throws {
        let fixture = try await fixture()
        let old = try await fixture.change(.init(change: .bucketCreate, name: "photos", owner: "alice")).bucket
        _ = try await fixture.change(.init(change: .bucketDeleteBegin, name: "photos"))
        let finish = ChangeBucketRequest(change: .bucketDeleteFinish, name: "photos", id: try #require(old).id)
        _ = try await fixture.change(finish)
        let new = try await fixture.change(.init(change: .bucketCreate, name: "photos", owner: "bob")).bucket
        #expect(new?.id != old?.id)
        _ = try await fixture.change(.init(change: .bucketDeleteBegin, name: "photos", owner: "bob"))
        #expect(try await fixture.change(finish).outcome == .bucketAbsent)
        #expect(fixture.view.buckets["photos"] != nil)
    }

    @Test("Nobody changes a bucket of somebody else")
    func foreign() async throws {
        let fixture = try await fixture()
        _ = try await fixture.change(.init(change: .bucketCreate, name: "photos", owner: "alice"))
        for change in [BucketChange.bucketDeleteBegin, .bucketSetAcl, .bucketDeleteCancel] {
            let reply = try await fixture.change(.init(change: change, name: "photos", owner: "bob", acl: "private"))
            #expect(reply.outcome == .bucketExistsForeign)
        }
    }

    @Test("A deletion that nobody ends is given up after minutes, each creation by itself")
    func stalled() {
        var stalled = StalledDeletions()
        let a = BucketRecord(name: "a", id: [1], state: .bucketDeleting)
        let b = BucketRecord(name: "b", id: [2], state: .bucketDeleting)
        #expect(stalled.update([a], at: .seconds(0)).isEmpty)
        #expect(stalled.update([a, b], at: .seconds(200)).isEmpty)
        #expect(stalled.update([a, b], at: .seconds(301)) == [a])
        #expect(stalled.update([b], at: .seconds(302)).isEmpty)
        #expect(stalled.update([a, b], at: .seconds(303)).isEmpty, "it began anew")
        #expect(stalled.update([a, b], at: .seconds(501)) == [b])
    }

    @Test(
        "Names follow S3's rules",
        arguments: [
            ("abc", true), ("a-b.c1", true), ("ab", false), ("Abc", false), ("a_b", false), ("-abc", false),
            ("abc.", false),
            ("a..b", false), ("1.2.3.4", false), ("1.2.3.256", true), (String(repeating: "a", count: 64), false),
        ])
    func names(name: String, isValid: Bool) { #expect(BucketChanges.isValidName(name) == isValid) }

    @Test("Configurations are set and removed by name, all or none")
    func documents() async throws {
        let fixture = try await fixture()
        func set(_ documents: [BucketDocument]) async throws -> ChangeBucketReply {
            try await fixture.change(.init(change: .bucketSetDocuments, name: "photos", documents: documents))
        }
        let first = BucketDocument(name: "cors", content: [1])
        _ = try await fixture.change(
            .init(change: .bucketCreate, name: "photos", owner: "alice", documents: [first]))
        #expect(fixture.view.buckets["photos"]?.documents == [first])
        _ = try await set([.init(name: "acl", content: [2]), .init(name: "cors", content: [3])])
        #expect(fixture.view.buckets["photos"]?.documents.map(\.name) == ["acl", "cors"])
        #expect(fixture.view.buckets["photos"]?.document("cors") == [3])
        let large = [UInt8](repeating: 0, count: Limits.bucketDocumentSizeMax + 1)
        await #expect(throws: VerbError.self) {
            try await set([.init(name: "acl"), .init(name: "policy", content: large)])
        }
        #expect(fixture.view.buckets["photos"]?.document("acl") == [2])
        for name in ["policy", "tagging"] {
            let document = BucketDocument(name: name, content: Array(large.dropLast()))
            if name == "policy" {
                _ = try await set([document])
            } else {
                await #expect(throws: VerbError.self) { try await set([document]) }
            }
        }
        #expect(try await set([.init(name: "acl"), .init(name: "policy")]).bucket?.documents.map(\.name) == ["cors"])
        _ = try await fixture.change(.init(change: .bucketDeleteBegin, name: "photos"))
        #expect(try await set([first]).outcome == .bucketBusy)
    }
}
