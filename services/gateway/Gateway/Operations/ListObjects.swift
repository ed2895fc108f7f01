import Model
import NIOHTTP1
import ObjectAccess
import S3Protocol
import Wire

/// What the forms of listing have in common.
struct ListingRequest: Sendable {
    var prefix: String
    var delimiter: String
    var keysMax: Int
    var encodesNames: Bool

    init(_ query: S3Query) throws {
        prefix = query["prefix"] ?? ""
        delimiter = query["delimiter"] ?? ""
        keysMax = try boundedInteger(query, "max-keys", default: Limits.listKeysMax, max: Limits.listKeysMax)
        switch query["encoding-type"] {
        case nil, "": encodesNames = false
        case "url": encodesNames = true
        case let other?:
            throw S3Error.invalidArgument(
                "Invalid Encoding Method specified in Request", name: "encoding-type", value: other)
        }
    }

    /// A key, prefix or delimiter as the document shows it.
    func shown(_ name: String) -> String { encodesNames ? PercentEncoding.encode(name) : name }
    func shown(_ name: [UInt8]) -> String { shown(String(decoding: name, as: UTF8.self)) }

    /// Whether a marker is a common prefix of this listing: then everything below it has been seen.
    func isCommonPrefix(_ marker: String) -> Bool {
        guard !delimiter.isEmpty, Array(marker.utf8).starts(with: prefix.utf8) else { return false }
        let rest = Array(marker.utf8.dropFirst(prefix.utf8.count))
        return rest.firstRange(of: Array(delimiter.utf8))?.upperBound == rest.endIndex
    }
}

/// One page of a listing.
struct ObjectPage: Sendable {
    var objects: [(key: [UInt8], summary: ListingSummary)] = []
    var commonPrefixes: [[UInt8]] = []
    /// Where the next page begins; nil at the end.
    var next: ListPosition?

    var count: Int { objects.count + commonPrefixes.count }
}

/// ListObjects and ListObjectsV2.
extension S3Operations {
    func listObjects(_ call: S3Call) async throws -> S3Response {
        let query = call.request.query
        let request = try ListingRequest(query)
        let marker = query["marker"] ?? ""
        let page = try await page(request, after: Self.position(marker, request), call)
        var writer = XMLWriter(reservingCapacity: 512 + page.count * 256)
        writer.element("ListBucketResult", namespace: XMLWriter.s3Namespace) { result in
            Self.head(of: &result, request, call, truncated: page.next != nil)
            result.element("Marker", request.shown(marker))
            // Without a delimiter the last key is the marker of the next page, clients know; unless the page was cut short.
            if let next = page.next, !request.delimiter.isEmpty || next.key != page.objects.last?.key {
                result.element("NextMarker", request.shown(next.key))
            }
            for entry in page.objects { Self.write(entry, request, owner: true, to: &result) }
            Self.write(page.commonPrefixes, request, to: &result)
        }
        return .xml(writer.bytes)
    }

    func listObjectsV2(_ call: S3Call) async throws -> S3Response {
        let query = call.request.query
        let request = try ListingRequest(query)
        let token = query["continuation-token"]
        var after = query["start-after"].flatMap { $0.isEmpty ? nil : ListPosition(key: Array($0.utf8)) }
        if let token {
            let (position, afterPrefix) = try ContinuationToken.decode(token)
            after = ListPosition(key: position, isPrefix: afterPrefix)
        }
        let page = try await page(request, after: after, call)
        let fetchesOwner = query["fetch-owner"]?.lowercased() == "true"
        var writer = XMLWriter(reservingCapacity: 512 + page.count * 256)
        writer.element("ListBucketResult", namespace: XMLWriter.s3Namespace) { result in
            Self.head(of: &result, request, call, truncated: page.next != nil)
            result.element("KeyCount", page.count)
            result.element("ContinuationToken", ifPresent: token)
            if let next = page.next {
                result.element(
                    "NextContinuationToken",
                    ContinuationToken.encode(position: next.key, afterPrefix: next.isPrefix))
            }
            result.element("StartAfter", ifPresent: query["start-after"].map(request.shown))
            for entry in page.objects { Self.write(entry, request, owner: fetchesOwner, to: &result) }
            Self.write(page.commonPrefixes, request, to: &result)
        }
        return .xml(writer.bytes)
    }

    private static func position(_ marker: String, _ request: ListingRequest) -> ListPosition? {
        marker.isEmpty ? nil : ListPosition(key: Array(marker.utf8), isPrefix: request.isCommonPrefix(marker))
    }

    // MARK: - Pages

    /// A page that is not full by then is cut short; the client asks for the next one.
    static let listingTimeout = Duration.seconds(20)

    /// Asks until the page is full, as a page of the storage may be short of its limit, or time is over.
    private func page(
        _ request: ListingRequest, after: ListPosition?, _ call: S3Call
    ) async throws -> ObjectPage {
        var page = ObjectPage()
        var query = ListQuery(
            bucket: call.bucketID, prefix: Array(request.prefix.utf8), after: after,
            delimiter: Array(request.delimiter.utf8))
        let deadline = ContinuousClock.now + Self.listingTimeout
        while page.count < request.keysMax {
            query.limit = request.keysMax - page.count
            let part = try await storage.list(query, context: call.context)
            for entry in part.entries {
                switch entry {
                case .key(let key, let summary, _):
                    page.objects.append((key, try ListingSummary(decoding: summary)))
                case .commonPrefix(let prefix): page.commonPrefixes.append(prefix)
                }
            }
            page.next = part.truncated ? part.next : nil
            guard let next = page.next, .now < deadline else { break }
            query.after = next
        }
        return page
    }

    // MARK: - Writing

    static func head(
        of result: inout XMLWriter, _ request: ListingRequest, _ call: S3Call, truncated: Bool
    ) {
        result.element("Name", call.bucket.name)
        result.element("Prefix", request.shown(request.prefix))
        if !request.delimiter.isEmpty { result.element("Delimiter", request.shown(request.delimiter)) }
        result.element("MaxKeys", request.keysMax)
        if request.encodesNames { result.element("EncodingType", "url") }
        result.element("IsTruncated", truncated)
    }

    private static func write(
        _ entry: (key: [UInt8], summary: ListingSummary), _ request: ListingRequest, owner: Bool,
        to result: inout XMLWriter
    ) {
        let (key, summary) = entry
        result.element("Contents") { element in
            element.element("Key", request.shown(key))
            element.element("LastModified", listedDate(summary.modifiedMilliseconds))
            element.element("ETag", ETag.quoted(summary.shownETag))
            element.checksum(of: summary)
            element.element("Size", summary.size)
            if owner { element.owner(summary.owner) }
            element.element(
                "StorageClass", summary.storageClass.isEmpty ? storageClassDefault : summary.storageClass)
        }
    }

    static func write(_ prefixes: [[UInt8]], _ request: ListingRequest, to result: inout XMLWriter) {
        for prefix in prefixes {
            result.element("CommonPrefixes") { $0.element("Prefix", request.shown(prefix)) }
        }
    }
}

extension XMLWriter {
    /// Which checksum an object has; nothing when it has none.
    mutating func checksum(of summary: ListingSummary) {
        guard !summary.checksumAlgorithm.isEmpty else { return }
        element("ChecksumAlgorithm", summary.checksumAlgorithm)
        if !summary.checksumType.isEmpty { element("ChecksumType", summary.checksumType) }
    }
}
