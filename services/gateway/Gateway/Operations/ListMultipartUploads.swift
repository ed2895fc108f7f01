import Model
import NIOHTTP1
import ObjectAccess
import S3Protocol
import Wire

/// One entry of ListMultipartUploads.
private enum ListedUpload {
    case upload(UploadName, ListingSummary)
    case commonPrefix([UInt8])
}

/// Rolls uploads up by a delimiter. Done here and not in the storage's index: the keys of uploads end with an id, in
/// which a delimiter may occur by chance.
private struct UploadRollUp {
    let prefix: [UInt8]
    let delimiter: [UInt8]
    /// A common prefix that the page before has shown.
    var last: [UInt8]?

    mutating func entry(_ name: UploadName, _ summary: ListingSummary) -> ListedUpload? {
        let rest = Array(name.key.dropFirst(prefix.count))
        guard !delimiter.isEmpty, let found = rest.firstRange(of: delimiter) else { return .upload(name, summary) }
        let common = prefix + rest[..<found.upperBound]
        guard common != last else { return nil }
        last = common
        return .commonPrefix(common)
    }
}

/// ListMultipartUploads.
extension S3Operations {
    func listMultipartUploads(_ call: S3Call) async throws -> S3Response {
        let query = call.request.query
        let request = try ListingRequest(query)
        let limit = try boundedInteger(query, "max-uploads", default: 1000, max: 1000)
        let (entries, truncated) = try await uploads(request, limit: limit, call)
        var writer = XMLWriter(reservingCapacity: 1024 + entries.count * 300)
        writer.element("ListMultipartUploadsResult", namespace: XMLWriter.s3Namespace) { result in
            result.element("Bucket", call.bucket.name)
            result.element("KeyMarker", request.shown(query["key-marker"] ?? ""))
            result.element("UploadIdMarker", query["upload-id-marker"] ?? "")
            if truncated, let last = entries.last { Self.writeNext(last, request, to: &result) }
            result.element("Prefix", request.shown(request.prefix))
            if !request.delimiter.isEmpty { result.element("Delimiter", request.shown(request.delimiter)) }
            if request.encodesNames { result.element("EncodingType", "url") }
            result.element("MaxUploads", limit)
            result.element("IsTruncated", truncated)
            for case .upload(let name, let summary) in entries { Self.write(name, summary, request, to: &result) }
            for case .commonPrefix(let prefix) in entries {
                result.element("CommonPrefixes") { $0.element("Prefix", request.shown(prefix)) }
            }
        }
        return .xml(writer.bytes)
    }

    private static func writeNext(_ last: ListedUpload, _ request: ListingRequest, to result: inout XMLWriter) {
        switch last {
        case .upload(let name, _):
            result.element("NextKeyMarker", request.shown(name.key))
            result.element("NextUploadIdMarker", name.id.description)
        case .commonPrefix(let prefix):
            result.element("NextKeyMarker", request.shown(prefix))
            result.element("NextUploadIdMarker", "")
        }
    }

    private static func write(
        _ name: UploadName, _ summary: ListingSummary, _ request: ListingRequest, to result: inout XMLWriter
    ) {
        result.element("Upload") { element in
            element.element("Key", request.shown(name.key))
            element.element("UploadId", name.id.description)
            element.owner(summary.owner, as: "Initiator")
            element.owner(summary.owner)
            element.element(
                "StorageClass", summary.storageClass.isEmpty ? storageClassDefault : summary.storageClass)
            element.element("Initiated", listedDate(summary.modifiedMilliseconds))
        }
    }

    private func uploads(
        _ request: ListingRequest, limit: Int, _ call: S3Call
    ) async throws -> (entries: [ListedUpload], truncated: Bool) {
        let marker = call.request.query["key-marker"] ?? ""
        var rollUp = UploadRollUp(prefix: Array(request.prefix.utf8), delimiter: Array(request.delimiter.utf8))
        if request.isCommonPrefix(marker) { rollUp.last = Array(marker.utf8) }
        var query = ListQuery(
            bucket: call.bucketID, keyspace: .uploads, prefix: rollUp.prefix,
            after: try Self.position(marker, call.request.query["upload-id-marker"], rollUp))
        var entries: [ListedUpload] = []
        guard limit > 0 else { return ([], false) }
        let deadline = ContinuousClock.now + Self.listingTimeout
        while true {
            let page = try await storage.list(query, context: call.context)
            for case .key(let key, let summary, _) in page.entries {
                guard let name = UploadName(bucket: call.bucketID, registerKey: key),
                    let entry = rollUp.entry(name, try ListingSummary(decoding: summary))
                else { continue }
                if entries.count == limit { return (entries, true) }
                entries.append(entry)
            }
            guard page.truncated, let next = page.next else { return (entries, false) }
            guard .now < deadline else { throw S3Error(.serviceUnavailable) }
            query.after = next
        }
    }

    /// Where a page begins. Without an upload id all uploads of the marker's key have been seen.
    private static func position(_ marker: String, _ id: String?, _ rollUp: UploadRollUp) throws -> ListPosition? {
        guard !marker.isEmpty else { return nil }
        let key = Array(marker.utf8)
        if rollUp.last != nil { return ListPosition(key: key, isPrefix: true) }
        guard let id, !id.isEmpty else { return ListPosition(key: key + [0], isPrefix: true) }
        guard let id = OperationID(hex: id) else {
            throw S3Error.invalidArgument("Invalid uploadId marker", name: "upload-id-marker", value: id)
        }
        return ListPosition(key: key + [0] + id.bytes)
    }
}
