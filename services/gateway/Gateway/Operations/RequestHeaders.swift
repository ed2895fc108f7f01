import NIOHTTP1
import S3Protocol
import Wire

/// What a request that creates an object says about it.
struct ObjectHeaders: Sendable {
    var content: [HeaderField]
    var metadata: [HeaderField]
    var storageClass: String
    var tags: [HeaderField]

    init(_ headers: HTTPHeaders) throws {
        try refuseUnsupported(headers)
        content = ContentHeaders.stored.compactMap { name in
            let values = headers[name]
            guard !values.isEmpty else { return nil }
            return ContentHeaders.storedValue(name: name, value: values.joined(separator: ","))
                .map { HeaderField(name: name, value: $0) }
        }
        if let target = try Self.websiteRedirect(headers) {
            content.append(HeaderField(name: Self.websiteRedirectHeader, value: target))
        }
        metadata = Self.metadata(headers)
        try ContentHeaders.checkMetadata(metadata.map { ($0.name, $0.value) })
        storageClass = try Self.storageClass(headers.first(name: "x-amz-storage-class"))
        tags = try TagSet(header: headers.first(name: "x-amz-tagging") ?? "").fields
    }

    /// Kept among the content headers: whoever reads the object sees it. A copy does not take it over.
    static let websiteRedirectHeader = "x-amz-website-redirect-location"

    private static func websiteRedirect(_ headers: HTTPHeaders) throws -> String? {
        guard let target = headers.first(name: websiteRedirectHeader) else { return nil }
        guard ["/", "http://", "https://"].contains(where: target.hasPrefix), target.utf8.count <= 2048 else {
            throw S3Error(.invalidRedirectLocation)
        }
        return target
    }

    /// In the order of the request; values of one name are joined.
    private static func metadata(_ headers: HTTPHeaders) -> [HeaderField] {
        var fields: [HeaderField] = []
        for (name, value) in headers {
            let name = name.lowercased()
            guard name.hasPrefix(ContentHeaders.metadataPrefix) else { continue }
            let short = String(name.dropFirst(ContentHeaders.metadataPrefix.count))
            if let index = fields.firstIndex(where: { $0.name == short }) {
                fields[index].value += "," + value
            } else {
                fields.append(HeaderField(name: short, value: value))
            }
        }
        return fields
    }

    private static let storageClasses: Set = [
        storageClassDefault, "REDUCED_REDUNDANCY", "STANDARD_IA", "ONEZONE_IA", "INTELLIGENT_TIERING", "GLACIER",
        "DEEP_ARCHIVE", "OUTPOSTS", "GLACIER_IR", "SNOW", "EXPRESS_ONEZONE",
    ]

    /// Stored and shown; it changes nothing about how the object is kept. Empty: the default.
    static func storageClass(_ name: String?) throws -> String {
        guard let name, name != storageClassDefault else { return "" }
        guard storageClasses.contains(name) else { throw S3Error(.invalidStorageClass) }
        return name
    }
}

/// Headers that ask for what we cannot do are refused, not ignored.
private func refuseUnsupported(_ headers: HTTPHeaders) throws {
    for (name, value) in headers where !value.isEmpty {
        let name = name.lowercased()
        if name == "x-amz-write-offset-bytes" {
            throw S3Error(.notImplemented, fields: [.init("Header", name)])
        }
    }
}

/// A whole number of a query between 0 and `max`; larger ones are cut to it, as AWS does.
func boundedInteger(_ query: S3Query, _ name: String, default value: Int, max limit: Int) throws -> Int {
    guard let text = query[name], !text.isEmpty else { return value }
    guard let number = Int(text) else {
        throw S3Error.invalidArgument(
            "Provided \(name) not an integer or within integer range", name: name, value: text)
    }
    guard number >= 0, number <= Int(Int32.max) else {
        throw S3Error.invalidArgument(
            "Argument \(name) must be an integer between 0 and \(Int32.max)", name: name, value: text)
    }
    return min(number, limit)
}

extension Preconditions {
    init(_ headers: HTTPHeaders) {
        self.init(
            ifMatch: headers.first(name: "if-match"), ifNoneMatch: headers.first(name: "if-none-match"),
            ifModifiedSince: headers.first(name: "if-modified-since"),
            ifUnmodifiedSince: headers.first(name: "if-unmodified-since"))
    }

    /// The conditions on the source of a copy.
    init(copySource headers: HTTPHeaders) {
        self.init(
            ifMatch: headers.first(name: "x-amz-copy-source-if-match"),
            ifNoneMatch: headers.first(name: "x-amz-copy-source-if-none-match"),
            ifModifiedSince: headers.first(name: "x-amz-copy-source-if-modified-since"),
            ifUnmodifiedSince: headers.first(name: "x-amz-copy-source-if-unmodified-since"))
    }
}

extension WriteCondition {
    init(_ headers: HTTPHeaders) throws(S3Error) {
        try self.init(ifMatch: headers.first(name: "if-match"), ifNoneMatch: headers.first(name: "if-none-match"))
    }
}
