import Foundation
import Model

/// Body of PutBucketLifecycleConfiguration: which objects go by themselves, and when.
public struct LifecycleConfiguration: Sendable, Equatable {
    public static let rulesMax = 1000

    public var rules: [LifecycleRule] = []

    /// Throws `MalformedXML`, `InvalidArgument`, `InvalidRequest`, or `NotImplemented` for transitions.
    public init(parsing bytes: [UInt8]) throws(S3Error) {
        guard !bytes.isEmpty else { throw S3Error(.missingRequestBody) }
        try self.init(XMLReader.parse(bytes, sizeMax: Limits.xmlBodySizeMax))
    }

    /// The document with an id for every rule, as it is stored and read back. What has ids stays as it is.
    public static func completed(_ bytes: [UInt8]) throws(S3Error) -> [UInt8] {
        guard !bytes.isEmpty else { throw S3Error(.missingRequestBody) }
        var root = try XMLReader.parse(bytes, sizeMax: Limits.xmlBodySizeMax)
        let configuration = try LifecycleConfiguration(root)
        guard configuration.rules.contains(where: \.id.isEmpty) else { return bytes }
        for index in root.children.indices where root.children[index].name == "Rule" {
            guard (root.children[index].value("ID") ?? "").isEmpty else { continue }
            root.children[index].children.removeAll { $0.name == "ID" }
            var id = XMLNode(name: "ID")
            id.text = UUID().uuidString.lowercased()
            root.children[index].children.insert(id, at: 0)
        }
        var writer = XMLWriter(reservingCapacity: bytes.count + 1024)
        writer.node(root, namespace: XMLWriter.s3Namespace)
        return writer.bytes
    }

    private init(_ root: XMLNode) throws(S3Error) {
        guard root.name == "LifecycleConfiguration" else { throw S3Error(.malformedXML) }
        for element in root.children("Rule") { rules.append(try LifecycleRule(element)) }
        guard (1...Self.rulesMax).contains(rules.count) else { throw S3Error(.malformedXML) }
        var ids: Set<String> = []
        for rule in rules where !rule.id.isEmpty {
            guard ids.insert(rule.id).inserted else {
                throw S3Error(
                    .invalidArgument, "Rule ID must be unique. Found same ID for more than one rule")
            }
        }
    }
}

/// Which objects a rule is about.
public struct LifecycleFilter: Sendable, Equatable {
    public var prefix = ""
    public var tags: [TagSet.Tag] = []
    /// Only larger objects.
    public var sizeAbove: UInt64?
    /// Only smaller objects.
    public var sizeBelow: UInt64?

    public init() {}

    public func matches(key: [UInt8]) -> Bool { key.starts(with: prefix.utf8) }

    public func matches(size: UInt64) -> Bool {
        size > sizeAbove ?? 0 || sizeAbove == nil ? sizeBelow.map { size < $0 } ?? true : false
    }

    /// - Parameter tags: of the object, by name.
    public func matches(tags: [String: String]) -> Bool { self.tags.allSatisfy { tags[$0.key] == $0.value } }
}

/// One rule of a lifecycle.
public struct LifecycleRule: Sendable, Equatable {
    public var id: String
    public var isEnabled: Bool
    public var filter = LifecycleFilter()
    public var expirationDays: Int64?
    /// Milliseconds since 1970.
    public var expirationDate: Int64?
    /// Delete markers go that have no version behind them.
    public var expiresMarkers = false
    public var noncurrentDays: Int64?
    /// So many of the newest noncurrent versions stay.
    public var newerNoncurrent = 0
    public var abortDays: Int64?

    static let idSizeMax = 255

    init(_ element: XMLNode) throws(S3Error) {
        id = element.value("ID") ?? ""
        guard id.utf8.count <= Self.idSizeMax else {
            throw S3Error(.invalidArgument, "ID length should not exceed allowed limit of \(Self.idSizeMax)")
        }
        guard let status = element.value("Status"), ["Enabled", "Disabled"].contains(status) else {
            throw S3Error(.malformedXML)
        }
        isEnabled = status == "Enabled"
        guard element.child("Transition") == nil, element.child("NoncurrentVersionTransition") == nil else {
            throw S3Error(.notImplemented, "There are no other storage classes to move objects to.")
        }
        try readFilter(element)
        try readExpiration(element)
        try readNoncurrent(element)
        if let abort = element.child("AbortIncompleteMultipartUpload") {
            abortDays = try Self.days(abort, "DaysAfterInitiation", of: "AbortIncompleteMultipartUpload")
        }
        guard
            expirationDays != nil || expirationDate != nil || expiresMarkers || noncurrentDays != nil
                || abortDays != nil
        else { throw S3Error(.invalidRequest, "At least one action needs to be specified in a rule") }
        try checkFilter()
    }

    /// Tags and sizes are of objects: delete markers and uploads have none.
    private func checkFilter() throws(S3Error) {
        let isNarrow = !filter.tags.isEmpty || filter.sizeAbove != nil || filter.sizeBelow != nil
        if abortDays != nil, isNarrow {
            throw S3Error(
                .invalidRequest, "AbortIncompleteMultipartUpload cannot be specified with Tags or object sizes.")
        }
        if expiresMarkers, isNarrow {
            throw S3Error(
                .invalidRequest, "ExpiredObjectDeleteMarker cannot be specified with Tags or object sizes.")
        }
    }

    // MARK: - Reading

    private mutating func readFilter(_ element: XMLNode) throws(S3Error) {
        let (prefix, filter) = (element.child("Prefix"), element.child("Filter"))
        guard prefix == nil || filter == nil else { throw S3Error(.malformedXML) }
        if let prefix {
            self.filter.prefix = prefix.text
            return
        }
        guard let filter else { throw S3Error(.malformedXML) }
        if let and = filter.child("And") {
            guard filter.children.count == 1, and.children.count >= 2 else { throw S3Error(.malformedXML) }
            for condition in and.children { try read(condition) }
        } else {
            guard filter.children.count <= 1 else { throw S3Error(.malformedXML) }
            for condition in filter.children { try read(condition) }
        }
        if let above = self.filter.sizeAbove, let below = self.filter.sizeBelow, above >= below {
            throw S3Error(
                .invalidRequest, "'ObjectSizeLessThan' has to be a value greater than 'ObjectSizeGreaterThan'.")
        }
        try TagSet(self.filter.tags).check(countMax: TagSet.objectTagsMax)
    }

    private mutating func read(_ condition: XMLNode) throws(S3Error) {
        switch condition.name {
        case "Prefix": filter.prefix = condition.text
        case "Tag":
            guard let key = condition.child("Key")?.text, let value = condition.child("Value")?.text else {
                throw S3Error(.malformedXML)
            }
            filter.tags.append(.init(key, value))
        case "ObjectSizeGreaterThan": filter.sizeAbove = try Self.size(condition)
        case "ObjectSizeLessThan": filter.sizeBelow = try Self.size(condition)
        default: throw S3Error(.malformedXML)
        }
    }

    private static func size(_ element: XMLNode) throws(S3Error) -> UInt64 {
        guard let size = UInt64(element.text.trimmingCharacters(in: .whitespacesAndNewlines)) else {
            throw S3Error(.malformedXML)
        }
        return size
    }

    private mutating func readExpiration(_ element: XMLNode) throws(S3Error) {
        guard let expiration = element.child("Expiration") else { return }
        guard expiration.children.count == 1 else { throw S3Error(.malformedXML) }
        if let text = expiration.value("Date") {
            guard let date = HTTPDate.parseISO8601(text) else { throw S3Error(.malformedXML) }
            guard date % 86_400_000 == 0 else { throw S3Error(.invalidArgument, "'Date' must be at midnight GMT") }
            expirationDate = date
        } else if let text = expiration.value("ExpiredObjectDeleteMarker") {
            guard ["true", "false"].contains(text) else { throw S3Error(.malformedXML) }
            expiresMarkers = text == "true"
        } else {
            expirationDays = try Self.days(expiration, "Days", of: "Expiration")
        }
    }

    private mutating func readNoncurrent(_ element: XMLNode) throws(S3Error) {
        guard let noncurrent = element.child("NoncurrentVersionExpiration") else { return }
        noncurrentDays = try Self.days(noncurrent, "NoncurrentDays", of: "NoncurrentVersionExpiration")
        guard let text = noncurrent.value("NewerNoncurrentVersions") else { return }
        guard let count = Int(text) else { throw S3Error(.malformedXML) }
        guard (1...100).contains(count) else {
            throw S3Error(.invalidArgument, "'NewerNoncurrentVersions' must be between 1 and 100")
        }
        newerNoncurrent = count
    }

    private static func days(_ element: XMLNode, _ name: String, of action: String) throws(S3Error) -> Int64 {
        guard let text = element.value(name), let days = Int64(text) else { throw S3Error(.malformedXML) }
        guard (1...Int64(Int32.max)).contains(days) else {
            throw S3Error(.invalidArgument, "'\(name)' for \(action) action must be a positive integer")
        }
        return days
    }
}
