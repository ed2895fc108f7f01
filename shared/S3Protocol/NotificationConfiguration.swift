import Model

/// Who is told about what happens in a bucket: a body of `NotificationConfiguration`.
public struct NotificationConfiguration: Sendable, Equatable {
    /// What AWS sends to: here the names differ, and all of them are webhooks.
    public enum Kind: String, Sendable, CaseIterable {
        case topic = "TopicConfiguration"
        case queue = "QueueConfiguration"
        case function = "CloudFunctionConfiguration"

        /// The element with the name of the target.
        fileprivate var target: String {
            switch self {
            case .topic: "Topic"
            case .queue: "Queue"
            case .function: "CloudFunction"
            }
        }
    }

    public struct Rule: Sendable, Equatable {
        public var kind: Kind
        public var id: String
        /// As it was put: see ``webhook``.
        public var arn: String
        /// As they were put.
        public var events: [String]
        public var prefix: [UInt8]
        public var suffix: [UInt8]

        /// The webhook's name; nil: the ARN names something else.
        public var webhook: String? {
            let parts = arn.split(separator: ":", omittingEmptySubsequences: false)
            guard parts.count == 6, parts[0] == "arn", parts[1] == "martlet", parts[5] == "webhook", !parts[4].isEmpty
            else { return nil }
            return String(parts[4])
        }

        public var types: Set<ObjectEventType> {
            events.reduce(into: []) { $0.formUnion(ObjectEventType.named($1)) }
        }

        public func concerns(_ type: ObjectEventType, _ key: [UInt8]) -> Bool {
            types.contains(type) && key.starts(with: prefix) && key.count >= suffix.count
                && key.suffix(suffix.count).elementsEqual(suffix)
        }

        /// Some key could be told by both for the same reason.
        fileprivate func overlaps(_ other: Rule) -> Bool {
            let prefixes = prefix.starts(with: other.prefix) || other.prefix.starts(with: prefix)
            let (one, two) = (suffix.reversed(), other.suffix.reversed())
            return !types.isDisjoint(with: other.types) && prefixes && (one.starts(with: two) || two.starts(with: one))
        }
    }

    public static let rulesMax = 100
    private static let filterSizeMax = 1024

    public var rules: [Rule] = []

    /// - Parameter newID: names a rule that has no id.
    public init(parsing bytes: [UInt8], newID: () -> String = { "" }) throws(S3Error) {
        guard !bytes.isEmpty else { throw S3Error(.missingRequestBody) }
        let root = try XMLReader.parse(bytes, sizeMax: Limits.xmlBodySizeMax)
        guard root.name == "NotificationConfiguration", root.children.count <= Self.rulesMax else {
            throw S3Error(.malformedXML)
        }
        for element in root.children {
            guard element.name != "EventBridgeConfiguration" else {
                throw S3Error(.notImplemented, "Events are sent to webhooks only, not to EventBridge.")
            }
            guard let kind = Kind(rawValue: element.name) else { throw S3Error(.malformedXML) }
            rules.append(try Self.rule(element, kind, newID))
        }
        try check()
    }

    private static func rule(_ element: XMLNode, _ kind: Kind, _ newID: () -> String) throws(S3Error) -> Rule {
        let events = element.children("Event").map { $0.text.trimmed }
        guard let arn = element.value(kind.target), !events.isEmpty else { throw S3Error(.malformedXML) }
        let id = element.value("Id") ?? ""
        var rule = Rule(
            kind: kind, id: id.isEmpty ? newID() : id, arn: arn, events: events, prefix: [], suffix: [])
        var seen: Set<String> = []
        for filter in element.child("Filter")?.child("S3Key")?.children("FilterRule") ?? [] {
            guard let name = filter.value("Name")?.lowercased(), let value = filter.child("Value")?.text else {
                throw S3Error(.malformedXML)
            }
            guard ["prefix", "suffix"].contains(name) else {
                throw S3Error(.invalidArgument, "filter rule name must be either prefix or suffix")
            }
            guard seen.insert(name).inserted else {
                throw S3Error(.invalidArgument, "Cannot specify more than one \(name) rule in a filter.")
            }
            guard value.utf8.count <= filterSizeMax else {
                throw S3Error(
                    .invalidArgument, "Size of filter rule value cannot exceed 1024 bytes in UTF-8 representation")
            }
            if name == "prefix" { rule.prefix = Array(value.utf8) } else { rule.suffix = Array(value.utf8) }
        }
        return rule
    }

    private func check() throws(S3Error) {
        guard Set(rules.map(\.id)).count == rules.count || rules.contains(where: { $0.id.isEmpty }) else {
            throw S3Error(.invalidArgument, "Same ID used for multiple configurations. IDs must be unique")
        }
        for (index, rule) in rules.enumerated() {
            if let event = rule.events.first(where: { ObjectEventType.named($0).isEmpty }) {
                throw S3Error(
                    .invalidArgument, "The event is not supported for notifications",
                    fields: [.init("ArgumentName", "Event"), .init("ArgumentValue", event)])
            }
            if rules[..<index].contains(where: rule.overlaps) {
                throw S3Error(
                    .invalidArgument,
                    "Configurations overlap. Configurations on the same bucket cannot share a common event type.")
            }
        }
    }

    /// As it is stored and read back.
    public var xml: [UInt8] {
        var writer = XMLWriter()
        writer.element("NotificationConfiguration", namespace: XMLWriter.s3Namespace) { root in
            for kind in Kind.allCases {
                for rule in rules where rule.kind == kind { root.node(rule.node) }
            }
        }
        return writer.bytes
    }
}

extension NotificationConfiguration.Rule {
    fileprivate var node: XMLNode {
        var node = XMLNode(name: kind.rawValue)
        func leaf(_ name: String, _ text: String) -> XMLNode {
            var leaf = XMLNode(name: name)
            leaf.text = text
            return leaf
        }
        node.children = [leaf("Id", id), leaf(kind.target, arn)] + events.map { leaf("Event", $0) }
        let filters = [("prefix", prefix), ("suffix", suffix)].filter { !$0.1.isEmpty }
        guard !filters.isEmpty else { return node }
        var keys = XMLNode(name: "S3Key")
        keys.children = filters.map { name, value in
            var rule = XMLNode(name: "FilterRule")
            rule.children = [leaf("Name", name), leaf("Value", String(decoding: value, as: UTF8.self))]
            return rule
        }
        var filter = XMLNode(name: "Filter")
        filter.children = [keys]
        node.children.append(filter)
        return node
    }
}
