import Model
import NIOCore
import NIOHTTP1
import ObjectAccess
import S3Protocol
import Wire

/// GetObject and HeadObject.
extension S3Operations {
    func getObject(_ call: S3Call) async throws -> S3Response {
        do {
            return try await openObject(call)
        } catch AccessError.absent {
            // Replaced, and its content dropped, since its register was read.
            return try await openObject(call)
        }
    }

    private func openObject(_ call: S3Call) async throws -> S3Response {
        let (object, blob) = try await readObject(call, withBlob: true)
        let encryption = try openEncryption(object, call)
        var answer = try ObjectAnswer(object, call.request)
        guard answer.response.status != .notModified, !answer.range.isEmpty else { return answer.response }
        let stream = try content(
            of: object, encryption, range: answer.range, beside: blob, context: call.context)
        let length = UInt64(answer.range.count)
        if let blob, encryption == nil, object.blobs.count == 1, object.blobs[0].chunkSize == 0 {
            // The common case: what is to be sent is at hand.
            guard let bytes = blob.getSlice(at: blob.readerIndex + Int(answer.range.lowerBound), length: Int(length))
            else { throw AccessError.damaged("content is shorter than its record says") }
            answer.response.body = .bytes(bytes)
        } else {
            try await stream.prepare()
            answer.response.body = .stream(length: length) { try await stream.next() }
        }
        return answer.response
    }

    func headObject(_ call: S3Call) async throws -> S3Response {
        let (object, _) = try await readObject(call, withBlob: false)
        _ = try openEncryption(object, call)
        var answer = try ObjectAnswer(object, call.request)
        if answer.response.status != .notModified {
            answer.response.headers.replaceOrAdd(name: "Content-Length", value: String(answer.range.count))
        }
        return answer.response
    }

    /// An object without tags has an empty set of them.
    func getObjectTagging(_ call: S3Call) async throws -> S3Response {
        _ = try await readObject(call, withBlob: false)
        var writer = XMLWriter()
        writer.element("Tagging", namespace: XMLWriter.s3Namespace) { $0.element("TagSet") { _ in } }
        return .xml(writer.bytes)
    }

    /// The object that the request names, once it is certain that it may be read.
    func readObject(_ call: S3Call, withBlob: Bool) async throws -> (record: ObjectRecord, blob: ByteBuffer?) {
        try checkVersion(call.request.query["versionId"])
        let snapshot = try await storage.read(call.object, withBlob: withBlob, context: call.context)
        let object = try ObjectRecord(snapshot)
        try call.authorize(object)
        guard let object else { throw S3Error.noSuchKey(call.key) }
        return (object, snapshot.blob)
    }
}

/// Buckets have no versions yet: each object has the one called null.
func checkVersion(_ id: String?) throws {
    guard let id, id != "null" else { return }
    throw S3Error.invalidArgument("Invalid version id specified", name: "versionId", value: id)
}

/// Status and headers of the answer to a GET or HEAD, and which bytes belong to it.
struct ObjectAnswer {
    var response: S3Response
    var range: Range<UInt64>

    init(_ object: ObjectRecord, _ request: S3Request) throws {
        response = S3Response(headers: Self.headers(of: object))
        range = 0..<object.size
        if try Self.isUnmodified(object, request) {
            response.status = .notModified
            return
        }
        try Self.override(&response.headers, request)
        if let number = request.query["partNumber"] {
            try select(part: number, of: object, request)
        } else if let header = request.headers.first(name: "range"), Self.rangeApplies(object, request) {
            try select(header, of: object)
        }
        if request.headers.first(name: "x-amz-checksum-mode")?.uppercased() == "ENABLED",
            range == 0..<object.size
        {
            addChecksums(of: object)
        }
    }

    private static func headers(of object: ObjectRecord) -> HTTPHeaders {
        var headers = HTTPHeaders()
        headers.add(name: "ETag", value: ETag.quoted(object.etag))
        headers.add(name: "Last-Modified", value: HTTPDate.format(object.modifiedSeconds))
        headers.add(name: "Accept-Ranges", value: "bytes")
        if object.headers["content-type"] == nil {
            headers.add(name: "Content-Type", value: ContentHeaders.contentTypeDefault)
        }
        for field in object.headers { headers.add(name: canonicalName(field.name), value: field.value) }
        for field in object.metadata {
            headers.add(name: ContentHeaders.metadataPrefix + field.name, value: field.value)
        }
        if let encryption = object.encryption { headers.add(contentsOf: encryption.headers) }
        if !object.storageClass.isEmpty { headers.add(name: "x-amz-storage-class", value: object.storageClass) }
        return headers
    }

    /// `content-type` → `Content-Type`.
    private static func canonicalName(_ name: String) -> String {
        name.split(separator: "-").map { $0.prefix(1).uppercased() + $0.dropFirst() }.joined(separator: "-")
    }

    private static func isUnmodified(_ object: ObjectRecord, _ request: S3Request) throws -> Bool {
        let conditions = Preconditions(request.headers)
        switch conditions.evaluate(etag: object.etag, modified: object.modifiedSeconds) {
        case .proceed: return false
        case .notModified: return true
        case .failed(let header): throw S3Error(.preconditionFailed, fields: [.init("Condition", header)])
        }
    }

    /// `response-content-type=…` and its like; only for requests that somebody has signed.
    private static func override(_ headers: inout HTTPHeaders, _ request: S3Request) throws {
        for (query, header) in ContentHeaders.overrides {
            guard let value = request.query[query], !value.isEmpty else { continue }
            guard request.identity != .anonymous else {
                throw S3Error(
                    .invalidRequest, "Request specific response headers cannot be used for anonymous GET requests.")
            }
            guard !value.utf8.contains(where: { $0 < 0x20 || $0 == 0x7F }) else {
                throw S3Error.invalidArgument("Header value cannot be represented", name: query, value: "")
            }
            headers.replaceOrAdd(name: canonicalName(header), value: value)
        }
    }

    // MARK: - Ranges and parts

    /// If-Range: the range counts only when the object is still the one that the client knows.
    private static func rangeApplies(_ object: ObjectRecord, _ request: S3Request) -> Bool {
        guard let validator = request.headers.first(name: "if-range") else { return true }
        if let date = HTTPDate.parse(validator) { return object.modifiedSeconds == date }
        return ETag.unquoted(validator) == object.etag
    }

    private mutating func select(_ header: String, of object: ObjectRecord) throws {
        guard let wanted = ByteRange(header: header) else { return }
        guard let bytes = wanted.resolved(size: object.size) else {
            throw S3Error(
                .invalidRange,
                fields: [
                    .init("RangeRequested", header), .init("ActualObjectSize", String(object.size)),
                ])
        }
        answerPartially(bytes, of: object)
    }

    private mutating func select(part text: String, of object: ObjectRecord, _ request: S3Request) throws {
        guard request.headers.first(name: "range") == nil else {
            throw S3Error(.invalidRequest, "Cannot specify both Range header and partNumber query parameter")
        }
        guard let number = Int(text), (1...Limits.partNumberMax).contains(number) else {
            throw S3Error.invalidArgument(
                "Part number must be an integer between 1 and \(Limits.partNumberMax), inclusive", name: "partNumber",
                value: text)
        }
        // What was put at once counts as one part. Parts are numbered anew from 1 as AWS does.
        let sizes = object.parts.isEmpty ? [object.size] : object.parts.map(\.size)
        guard number <= sizes.count else {
            throw S3Error(
                .invalidPartNumber,
                fields: [.init("PartNumberRequested", text), .init("ActualPartCount", String(sizes.count))])
        }
        let start = sizes[..<(number - 1)].reduce(0, +)
        if !object.parts.isEmpty {
            response.headers.add(name: "x-amz-mp-parts-count", value: String(object.parts.count))
        }
        guard object.size > 0 else { return }
        answerPartially(start..<(start + sizes[number - 1]), of: object)
    }

    private mutating func answerPartially(_ bytes: Range<UInt64>, of object: ObjectRecord) {
        range = bytes
        response.status = .partialContent
        response.headers.add(
            name: "Content-Range", value: "bytes \(bytes.lowerBound)-\(bytes.upperBound - 1)/\(object.size)")
    }

    private mutating func addChecksums(of object: ObjectRecord) {
        for (algorithm, value) in object.checksums.checksums {
            response.headers.add(name: algorithm.headerName, value: value)
        }
        if !object.checksums.isEmpty, !object.checksumType.isEmpty {
            response.headers.add(name: "x-amz-checksum-type", value: object.checksumType)
        }
    }
}
