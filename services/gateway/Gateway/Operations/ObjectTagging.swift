import Model
import NIOHTTP1
import ObjectAccess
import S3Protocol
import Wire

/// GetObjectTagging, PutObjectTagging, DeleteObjectTagging.
extension S3Operations {
    func getObjectTagging(_ call: S3Call) async throws -> S3Response {
        let object = try await readObject(call, withBlob: false).record
        var writer = XMLWriter()
        writer.element("Tagging", namespace: XMLWriter.s3Namespace) { root in
            root.element("TagSet") { set in
                for tag in object.tags {
                    set.element("Tag") { element in
                        element.element("Key", tag.name)
                        element.element("Value", tag.value)
                    }
                }
            }
        }
        var response = S3Response.xml(writer.bytes)
        addVersion(of: object, call, to: &response.headers)
        return response
    }

    func putObjectTagging(_ call: S3Call) async throws -> S3Response {
        let body = try await call.request.body.collect(upTo: Limits.xmlBodySizeMax)
        let tags = try TagSet(parsing: Array(body.readableBytesView), countMax: TagSet.objectTagsMax)
        return try await setTags(tags.fields, .taggingPut, S3Response(), call.bringing(tags))
    }

    func deleteObjectTagging(_ call: S3Call) async throws -> S3Response {
        try await setTags([], .taggingDelete, S3Response(status: .noContent), call)
    }

    private func setTags(
        _ tags: [HeaderField], _ event: ObjectEventType, _ response: S3Response, _ call: S3Call
    ) async throws -> S3Response {
        let object = try await changeObject(call, event: event) { $0.tags = tags }
        var response = response
        addVersion(of: object, call, to: &response.headers)
        return response
    }
}

extension TagSet {
    /// From the value of `x-amz-tagging`: `key=value&key=value`, encoded as a query. Throws `InvalidArgument` for what is
    /// none, `InvalidTag` for tags that S3 does not allow.
    init(header: String) throws {
        var tags: [Tag] = []
        var keys: Set<[UInt8]> = []
        for pair in header.split(separator: "&") {
            let halves = pair.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            guard let key = Self.decoded(halves[0]), let value = halves.count == 1 ? "" : Self.decoded(halves[1]),
                keys.insert(Array(key.utf8)).inserted
            else {
                throw S3Error.invalidArgument(
                    "The header 'x-amz-tagging' shall be encoded as UTF-8 then URLEncoded URL query parameters "
                        + "without tag name duplicates.", name: "x-amz-tagging", value: header)
            }
            tags.append(Tag(key, value))
        }
        self.init(tags)
        try check(countMax: Self.objectTagsMax)
    }

    private static func decoded(_ text: Substring) -> String? {
        PercentEncoding.decode(String(text.map { $0 == "+" ? " " : $0 }))
    }

    /// As records keep them.
    var fields: [HeaderField] { tags.map { HeaderField(name: $0.key, value: $0.value) } }
}
