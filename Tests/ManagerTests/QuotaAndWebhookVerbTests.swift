import ClusterState
import Model
import ObjectAccess
import Testing
import Wire

@testable import Manager

@Suite("Quotas, usage, webhooks and removals")
struct QuotaAndWebhookVerbTests {
    private func fixture() async throws -> Fixture {
        let fixture = try await Fixture()
        _ = try await fixture.run("create-user", "alice", as: CreatedUserReport.self)
        _ = try await fixture.change(.init(change: .bucketCreate, name: "photos", owner: "alice"))
        return fixture
    }

    @Test("Quotas are set, shown beside what is held, and taken away")
    func quotas() async throws {
        let fixture = try await fixture()
        _ = try await fixture.run("set-bucket-quota", "photos", "1000", "5", as: DoneReport.self)
        _ = try await fixture.run("set-user-quota", "alice", "0", "9", as: DoneReport.self)
        let id = try #require(fixture.view.buckets["photos"]?.bucketID)
        let report = UsageVerb.report(fixture.view, [id: StoredUsage(objects: 3, bytes: 700)])
        #expect(
            report.buckets == [
                .init(bucket: "photos", owner: "alice", objects: 3, bytes: 700, quotaObjects: 5, quotaBytes: 1000)
            ])
        #expect(report.users.first { $0.userId == "alice" }?.objects == 3)
        #expect(report.users.first { $0.userId == "alice" }?.quotaObjects == 9)
        _ = try await fixture.run("set-bucket-quota", "photos", "0", "0", as: DoneReport.self)
        #expect(fixture.view.buckets["photos"]?.quotaBytes == 0)
    }

    @Test(
        "Quotas need a subject and whole numbers",
        arguments: [
            ["set-bucket-quota", "nothing", "1", "1"], ["set-user-quota", "nobody", "1", "1"],
            ["set-bucket-quota", "photos", "-1", "1"], ["set-bucket-quota", "photos", "1k", "1"],
        ])
    func badQuotas(_ words: [String]) async throws {
        let fixture = try await fixture()
        await #expect(throws: VerbError.self) {
            try await fixture.run(words[0], words[1], words[2], words[3], as: DoneReport.self)
        }
    }

    @Test("A webhook's token is sealed; it goes only when no bucket names it")
    func webhooks() async throws {
        let fixture = try await fixture()
        let made = try await fixture.run(
            "add-webhook", "hook", "http://a/x", "token=secret", as: WebhooksReport.self)
        #expect(made.webhooks.map(\.arn) == ["arn:martlet:sqs::hook:webhook"] && made.webhooks[0].hasToken)
        let record = try #require(fixture.view.webhooks["hook"])
        #expect(!record.sealedToken.isEmpty && record.sealedToken != Array("secret".utf8))
        let document = BucketDocument(
            name: "notification", content: Array("<Queue>arn:martlet:sqs::hook:webhook</Queue>".utf8))
        _ = try await fixture.change(.init(change: .bucketSetDocuments, name: "photos", documents: [document]))
        await #expect(throws: VerbError.self) { try await fixture.run("remove-webhook", "hook", as: DoneReport.self) }
        let none = BucketDocument(name: "notification")
        _ = try await fixture.change(.init(change: .bucketSetDocuments, name: "photos", documents: [none]))
        _ = try await fixture.run("remove-webhook", "hook", as: DoneReport.self)
        #expect(fixture.view.webhooks.isEmpty)
    }

    @Test("Only gateways get webhooks")
    func sharing() {
        #expect(ClusterKeys.isShared(ClusterKeys.webhook("k"), withUsers: true))
        #expect(!ClusterKeys.isShared(ClusterKeys.webhook("k"), withUsers: false))
    }

    @Test("A bucket that is being removed keeps its name and takes no change but the end of its removal")
    func removal() async throws {
        let fixture = try await fixture()
        let bucket = try #require(fixture.view.buckets["photos"])
        try await fixture.cluster.change { _, edit in BucketChanges.beginRemoval(bucket, &edit) }
        for change in [
            BucketChange.bucketDeleteBegin, .bucketDeleteCancel, .bucketDeleteFinish, .bucketSetAcl,
            .bucketSetDocuments, .bucketCreate,
        ] {
            let reply = try await fixture.change(.init(change: change, name: "photos", owner: "alice"))
            #expect(reply.outcome == .bucketBusy, "\(change)")
        }
        let other = try await fixture.change(
            .init(change: .bucketRemovalFinish, name: "photos", id: Array(repeating: 7, count: 16)))
        #expect(other.outcome == .bucketAbsent)
        _ = try await fixture.change(.init(change: .bucketRemovalCancel, name: "photos", id: bucket.id))
        #expect(fixture.view.buckets["photos"]?.state == .bucketActive)
        let late = try await fixture.change(.init(change: .bucketRemovalFinish, name: "photos", id: bucket.id))
        #expect(late.outcome == .bucketBusy, "nobody removes it any more")
        try await fixture.cluster.change { _, edit in BucketChanges.beginRemoval(bucket, &edit) }
        _ = try await fixture.change(.init(change: .bucketRemovalFinish, name: "photos", id: bucket.id))
        #expect(fixture.view.buckets["photos"] == nil)
    }
}
