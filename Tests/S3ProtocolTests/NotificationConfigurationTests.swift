import Testing

@testable import S3Protocol

@Suite struct NotificationConfigurationTests {
    private func parse(_ rules: String) throws(S3Error) -> NotificationConfiguration {
        var ids = 0
        return try NotificationConfiguration(
            parsing: Array("<NotificationConfiguration>\(rules)</NotificationConfiguration>".utf8)
        ) {
            ids += 1
            return "new-\(ids)"
        }
    }

    private func rule(
        _ id: String = "", event: String = "s3:ObjectCreated:*", prefix: String? = nil, suffix: String? = nil
    ) -> String {
        let filters = [("prefix", prefix), ("suffix", suffix)].compactMap { name, value in
            value.map { "<FilterRule><Name>\(name)</Name><Value>\($0)</Value></FilterRule>" }
        }.joined()
        return "<QueueConfiguration>" + (id.isEmpty ? "" : "<Id>\(id)</Id>")
            + "<Queue>arn:martlet:sqs::hook:webhook</Queue><Event>\(event)</Event>"
            + (filters.isEmpty ? "" : "<Filter><S3Key>\(filters)</S3Key></Filter>") + "</QueueConfiguration>"
    }

    @Test("it is read back as it was put, with ids for rules that have none")
    func roundTrip() throws {
        let topic =
            "<TopicConfiguration><Topic>arn:martlet:sns::other:webhook</Topic><Event>s3:ObjectRemoved:Delete</Event>"
            + "</TopicConfiguration>"
        let configuration = try parse(rule("mine", prefix: "a&amp;b", suffix: ".x") + topic)
        #expect(configuration.rules.map(\.id) == ["mine", "new-1"])
        #expect(configuration.rules.map(\.webhook) == ["hook", "other"])
        #expect(configuration.rules[0].prefix == Array("a&b".utf8))
        let again = try NotificationConfiguration(parsing: configuration.xml)
        #expect(Set(again.rules.map(\.id)) == ["mine", "new-1"])
        #expect(again.rules.first { $0.id == "mine" } == configuration.rules[0])
    }

    @Test("rules that could tell one thing twice are refused, others are not")
    func overlaps() throws {
        for (one, two) in [
            (rule("a"), rule("b")), (rule("a", prefix: "x/"), rule("b")),
            (rule("a", prefix: "x/"), rule("b", prefix: "x/y")),
            (rule("a", suffix: ".jpg"), rule("b", suffix: "x.jpg")),
            (rule("a", event: "s3:ObjectCreated:Put"), rule("b")),
        ] {
            #expect { try parse(one + two) } throws: { ($0 as? S3Error)?.message.contains("overlap") == true }
        }
        for (one, two) in [
            (rule("a", prefix: "x/"), rule("b", prefix: "y/")),
            (rule("a", suffix: ".jpg"), rule("b", suffix: ".png")),
            (rule("a", event: "s3:ObjectCreated:Put"), rule("b", event: "s3:ObjectCreated:Post")),
            (rule("a", event: "s3:ObjectRemoved:*"), rule("b")),
        ] {
            #expect(try parse(one + two).rules.count == 2)
        }
    }

    @Test("events that never come, and filters that make no sense, are refused")
    func refused() {
        for event in ["s3:ObjectRestore:*", "ObjectCreated:Put", "s3:Nothing", "s3:*", "s3:LifecycleTransition"] {
            #expect { try parse(rule(event: event)) } throws: { ($0 as? S3Error)?.code == .invalidArgument }
        }
        let twice = rule(prefix: "a").replacing("<Name>prefix</Name>", with: "<Name>prefix</Name>", maxReplacements: 0)
            .replacing("</S3Key>", with: "<FilterRule><Name>Prefix</Name><Value>b</Value></FilterRule></S3Key>")
        #expect { try parse(twice) } throws: { ($0 as? S3Error)?.code == .invalidArgument }
        #expect { try parse(rule("same", prefix: "a") + rule("same", prefix: "b")) } throws: {
            ($0 as? S3Error)?.code == .invalidArgument
        }
        #expect { try parse("<EventBridgeConfiguration/>") } throws: { ($0 as? S3Error)?.code == .notImplemented }
    }

    @Test("an event has all names of the wildcard")
    func wildcards() {
        #expect(ObjectEventType.named("s3:ObjectCreated:*").count == 4)
        #expect(ObjectEventType.named("s3:ObjectRemoved:*") == [.removedDelete, .removedDeleteMarkerCreated])
        #expect(ObjectEventType.named("s3:ObjectTagging:Put") == [.taggingPut])
        #expect(ObjectEventType.named("s3:LifecycleExpiration:*") == [.expiredDelete, .expiredDeleteMarkerCreated])
    }
}
