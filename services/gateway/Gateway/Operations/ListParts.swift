import Model
import NIOHTTP1
import ObjectAccess
import S3Protocol
import Wire

/// ListParts.
extension S3Operations {
    func listParts(_ call: S3Call) async throws -> S3Response {
        let name = try call.upload()
        let query = call.request.query
        let limit = try boundedInteger(query, "max-parts", default: 1000, max: 1000)
        let marker = try boundedInteger(query, "part-number-marker", default: 0, max: Limits.partNumberMax)
        let upload = try await openUpload(name, call)
        let (parts, truncated) = try await parts(of: name, after: marker, limit: limit, call)
        var writer = XMLWriter(reservingCapacity: 1024 + parts.count * 200)
        writer.element("ListPartsResult", namespace: XMLWriter.s3Namespace) { result in
            result.element("Bucket", call.bucket.name)
            result.element("Key", call.key)
            result.element("UploadId", name.id.description)
            result.owner(upload.owner, as: "Initiator")
            result.owner(upload.owner)
            result.element("StorageClass", upload.storageClass.isEmpty ? storageClassDefault : upload.storageClass)
            result.element("PartNumberMarker", marker)
            result.element("NextPartNumberMarker", parts.last.map { Int($0.number) } ?? 0)
            result.element("MaxParts", limit)
            result.element("IsTruncated", truncated)
            if !upload.checksumAlgorithm.isEmpty {
                result.element("ChecksumAlgorithm", upload.checksumAlgorithm)
                result.element("ChecksumType", upload.checksumType)
            }
            for part in parts { Self.write(part, to: &result) }
        }
        return .xml(writer.bytes)
    }

    private static func write(_ part: PartRecord, to result: inout XMLWriter) {
        result.element("Part") { element in
            element.element("PartNumber", part.number)
            element.element("LastModified", listedDate(part.modifiedMilliseconds))
            element.element("ETag", ETag.quoted(part.etag))
            element.element("Size", part.size)
            for (algorithm, value) in part.checksums.checksums { element.element(algorithm.elementName, value) }
        }
    }

    /// Parts with numbers above `number`, in order.
    func parts(
        of name: UploadName, after number: Int, limit: Int, _ call: S3Call
    ) async throws -> (parts: [PartRecord], truncated: Bool) {
        var query = ListQuery(
            bucket: name.bucket, keyspace: .parts, prefix: name.id.bytes,
            after: ListPosition(key: name.part(number).key), withRecords: true)
        var parts: [PartRecord] = []
        while parts.count < limit {
            query.limit = min(limit - parts.count, Limits.listKeysMax)
            let page = try await storage.list(query, context: call.context)
            for case .key(_, _, let record?) in page.entries {
                parts.append(try PartRecord(stored: StoredRecord(bytes: record)))
            }
            guard page.truncated, let next = page.next else { return (parts, false) }
            query.after = next
        }
        return (parts, limit > 0)
    }
}
