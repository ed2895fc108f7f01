import ClusterState
import Foundation
import Logging
import MessageBus
import Model
import NIOHTTP1
import Observability
import S3Protocol
import Testing
import Wire

@testable import Gateway

/// What operations put into the queue of a webhook that nobody listens at.
@Suite struct NotificationTests {
    private struct Fixture {
        let gateway: TestGateway
        let notifier: Notifier
        let directory: String

        /// What is queued; ends the notifier.
        func events() async throws -> [[String: Any]] {
            await notifier.stop()
            defer { try? FileManager.default.removeItem(atPath: directory) }
            let log = try EventLog(directory: directory + "/hook")
            var events: [[String: Any]] = []
            while let (number, event) = try log.first() {
                log.remove(through: number)
                let message = try JSONSerialization.jsonObject(with: Data(event)) as? [String: Any]
                events.append(try #require(message))
            }
            return events
        }

        func records() async throws -> [[String: Any]] {
            try await events().flatMap { $0["Records"] as? [[String: Any]] ?? [] }
        }
    }

    private func configuration(_ events: [String], filter: String = "") -> String {
        let events = events.map { "<Event>\($0)</Event>" }.joined()
        return "<NotificationConfiguration><QueueConfiguration><Id>rule</Id>"
            + "<Queue>arn:martlet:sqs::hook:webhook</Queue>\(events)\(filter)</QueueConfiguration></NotificationConfiguration>"
    }

    private func fixture(
        _ events: [String]? = nil, filter: String = "", versioning: String? = nil, queueBytesMax: Int = 1 << 20
    ) async throws -> Fixture {
        let directory = NSTemporaryDirectory() + "notifications-\(UUID().uuidString)"
        let cluster = MemoryCluster()
        var documents: [String: String] = [:]
        documents["notification"] = events.map { configuration($0, filter: filter) }
        documents["versioning"] = versioning
        cluster.add("box", documents: documents)
        // Port 9 of this host: nothing listens there, so events stay in the queue.
        cluster.addWebhook("hook", url: "http://127.0.0.1:9/")
        try await cluster.refresh()
        let notifier = try Notifier(
            cluster: cluster,
            settings: NotificationSettings(
                directory: directory, queueBytesMax: queueBytesMax, timeout: .seconds(1)),
            gateway: "gateway-1", metrics: NotificationMetrics(MetricsRegistry()),
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }, unseal: { $0 })
        try notifier.start()
        return Fixture(
            gateway: TestGateway(cluster: cluster, notifier: notifier), notifier: notifier, directory: directory)
    }

    private func names(_ records: [[String: Any]]) -> [String] { records.compactMap { $0["eventName"] as? String } }

    private func object(_ record: [String: Any]) throws -> [String: Any] {
        let subject = try #require(record["s3"] as? [String: Any])
        return try #require(subject["object"] as? [String: Any])
    }

    @Test("every kind of event, in order, with sequencers that grow for a key")
    func kinds() async throws {
        let fixture = try await fixture([
            "s3:ObjectCreated:*", "s3:ObjectRemoved:*", "s3:ObjectTagging:*", "s3:ObjectAcl:Put",
        ])
        let gateway = fixture.gateway
        await gateway.put("a b/ü", [1, 2, 3])
        let tags = Array("<Tagging><TagSet><Tag><Key>k</Key><Value>v</Value></Tag></TagSet></Tagging>".utf8)
        #expect(await gateway.send(.putObjectTagging, .PUT, key: "a b/ü", body: tags).status == 200)
        #expect(await gateway.send(.deleteObjectTagging, .DELETE, key: "a b/ü").status == 204)
        #expect(
            await gateway.send(.putObjectAcl, .PUT, key: "a b/ü", headers: ["x-amz-acl": "public-read"]).status == 200)
        #expect(await gateway.send(.deleteObject, .DELETE, key: "a b/ü").status == 204)
        #expect(await gateway.send(.deleteObject, .DELETE, key: "a b/ü").status == 204)
        let records = try await fixture.records()
        #expect(
            names(records) == [
                "ObjectCreated:Put", "ObjectTagging:Put", "ObjectTagging:Delete", "ObjectAcl:Put",
                "ObjectRemoved:Delete",
            ], "deleting what is not there is no event")
        let objects = try records.map(object)
        #expect(objects.allSatisfy { $0["key"] as? String == "a+b/%C3%BC" })
        #expect(objects[0]["size"] as? Int == 3)
        #expect(objects[0]["eTag"] as? String == "5289df737df57326fcdd22597afb1fac")
        #expect(objects[0]["versionId"] == nil)
        #expect(objects[4]["size"] == nil)
        let sequencers = objects.compactMap { $0["sequencer"] as? String }
        #expect(sequencers.count == 5 && zip(sequencers, sequencers.dropFirst()).allSatisfy { $0 < $1 })
        #expect(sequencers.allSatisfy { $0.count == 16 })
    }

    @Test("the record says what AWS's says")
    func record() async throws {
        let fixture = try await fixture(["s3:ObjectCreated:Put"])
        await fixture.gateway.put("a", [])
        let record = try #require(try await fixture.records().first)
        #expect(record["eventVersion"] as? String == "2.2")
        #expect(record["eventSource"] as? String == "aws:s3")
        #expect(record["awsRegion"] as? String == "us-east-1")
        #expect(record["eventTime"] as? String == "2023-11-14T22:13:20.123Z")
        #expect(record["userIdentity"] as? [String: String] == ["principalId": "alice"])
        #expect(record["responseElements"] as? [String: String] == ["x-amz-request-id": "request-1"])
        let subject = try #require(record["s3"] as? [String: Any])
        #expect(subject["s3SchemaVersion"] as? String == "1.0")
        #expect(subject["configurationId"] as? String == "rule")
        let bucket = try #require(subject["bucket"] as? [String: Any])
        #expect(bucket["name"] as? String == "box")
        #expect(bucket["arn"] as? String == "arn:aws:s3:::box")
        #expect(bucket["ownerIdentity"] as? [String: String] == ["principalId": "alice"])
    }

    @Test("only what the rule names and its filters let through")
    func filtered() async throws {
        let filter =
            "<Filter><S3Key><FilterRule><Name>prefix</Name><Value>in/</Value></FilterRule>"
            + "<FilterRule><Name>suffix</Name><Value>.jpg</Value></FilterRule></S3Key></Filter>"
        let fixture = try await fixture(["s3:ObjectCreated:*"], filter: filter)
        for key in ["in/a.jpg", "in/a.png", "out/a.jpg", "in/.jpg", "in/b.JPG"] { await fixture.gateway.put(key) }
        _ = await fixture.gateway.send(.deleteObject, .DELETE, key: "in/a.jpg")
        let keys = try await fixture.records().map { try object($0)["key"] as? String }
        #expect(keys == ["in/a.jpg", "in/.jpg"])
    }

    @Test("versions are named, and delete markers are events of their own")
    func versions() async throws {
        let fixture = try await fixture(["s3:ObjectCreated:*", "s3:ObjectRemoved:*"], versioning: "Enabled")
        let put = await fixture.gateway.put("a", [1])
        let marker = await fixture.gateway.send(.deleteObject, .DELETE, key: "a")
        let id = try #require(put.headers.first(name: "x-amz-version-id"))
        #expect(await fixture.gateway.send(.deleteObject, .DELETE, key: "a", query: [("versionId", id)]).status == 204)
        let records = try await fixture.records()
        #expect(
            names(records) == ["ObjectCreated:Put", "ObjectRemoved:DeleteMarkerCreated", "ObjectRemoved:Delete"])
        let found = try records.map { try object($0)["versionId"] as? String }
        #expect(found == [id, marker.headers.first(name: "x-amz-version-id"), id])
    }

    @Test("what is refused, or was not there, is no event")
    func refused() async throws {
        let fixture = try await fixture(["s3:ObjectCreated:*", "s3:ObjectRemoved:*"])
        #expect(await fixture.gateway.put("a", as: TestGateway.bob).status == 403)
        #expect(await fixture.gateway.put("a", headers: ["If-Match": "\"x\""]).status >= 400)
        #expect(try await fixture.records().isEmpty)
    }

    @Test("beyond its room a queue drops what is new, and writes go on")
    func full() async throws {
        let fixture = try await fixture(["s3:ObjectCreated:*"], queueBytesMax: 2000)
        for number in 0..<20 { #expect(await fixture.gateway.put("k\(number)").status == 200) }
        let report = try #require(await fixture.notifier.report.queues.first)
        #expect(report.dropped > 10 && report.queued + report.dropped == 20)
        let keys = try await fixture.records().map { try object($0)["key"] as? String }
        #expect(keys == (0..<report.queued).map { "k\($0)" }, "the oldest are kept")
    }

    @Test("a configuration is checked, sends a test event, and is read back")
    func put() async throws {
        let fixture = try await fixture()
        func set(_ text: String) async -> Answer {
            await fixture.gateway.send(.putBucketNotificationConfiguration, .PUT, body: Array(text.utf8))
        }
        let good = configuration(["s3:ObjectCreated:*"])
        let unknown = good.replacing("::hook:", with: "::nobody:")
        for bad in [unknown, good.replacing("arn:martlet", with: "arn:aws"), configuration(["s3:ObjectRestore:Post"])] {
            #expect(await set(bad).code == "InvalidArgument")
        }
        #expect(await set("<NotificationConfiguration><Other/></NotificationConfiguration>").code == "MalformedXML")
        #expect(await set(good).status == 200)
        let text = await fixture.gateway.send(.getBucketNotificationConfiguration).text
        #expect(text.contains("<Queue>arn:martlet:sqs::hook:webhook</Queue><Event>s3:ObjectCreated:*</Event>"))
        #expect(await set("<NotificationConfiguration/>").status == 200)
        #expect(!(await fixture.gateway.send(.getBucketNotificationConfiguration).text.contains("hook")))
        let events = try await fixture.events()
        #expect(events.count == 1)
        #expect(events.first?["Event"] as? String == "s3:TestEvent")
        #expect(events.first?["Bucket"] as? String == "box")
    }

    @Test("events of another process are kept as its own; a stopped gateway takes none")
    func handedOver() async throws {
        let fixture = try await fixture(queueBytesMax: 100)
        let events = ["hook", "nobody", "hook", "hook"].enumerated().map { index, webhook in
            WebhookEvent(webhook: webhook, message: Array("{\"n\":\(index),\"long\":\"1234567890123456789\"}".utf8))
        }
        #expect(try await fixture.notifier.take(events) == 2, "one has no webhook, one no room")
        let report = try #require(await fixture.notifier.report.queues.first)
        #expect(report.queued == 2 && report.dropped == 1)
        #expect(try await fixture.events().compactMap { $0["n"] as? Int } == [0, 2])
        await #expect(throws: BusError.self) { try await fixture.notifier.take([events[0]]) }
    }

    @Test("pauses double up to half a minute")
    func pauses() {
        let pauses = [1, 2, 3, 7, 100].map(WebhookDelivery.pause)
        #expect(pauses == [.milliseconds(500), .seconds(1), .seconds(2), .seconds(30), .seconds(30)])
    }

    @Test("a token without a scheme is a bearer's")
    func authorization() {
        #expect(Notifier.authorization("secret") == "Bearer secret")
        #expect(Notifier.authorization("Basic abc") == "Basic abc")
    }
}
