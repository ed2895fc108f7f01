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
        let (found, blob) = try await readObject(call, withBlob: true)
        let encryption = try await openEncryption(found, call)
        let whole = try await wholeObject(found, call)
        let object = whole.record
        var answer = try ObjectAnswer(object, call.request)
        addState(of: object, call, to: &answer.response.headers)
        guard answer.response.status != .notModified, !answer.range.isEmpty else { return answer.response }
        let stream = try await wholeContent(of: whole, encryption, range: answer.range, beside: blob, call)
        let length = UInt64(answer.range.count)
        if let blob, encryption == nil, !whole.isLarge, object.blobs.count == 1,
            object.blobs[0].chunkSize == 0
        {
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
        let (found, _) = try await readObject(call, withBlob: false)
        _ = try await openEncryption(found, call)
        let object = try await wholeObject(found, call).record
        var answer = try ObjectAnswer(object, call.request)
        addState(of: object, call, to: &answer.response.headers)
        if answer.response.status != .notModified {
            answer.response.headers.replaceOrAdd(name: "Content-Length", value: String(answer.range.count))
        }
        return answer.response
    }

    /// What is true of the object besides its content: its version, its lock, how many tags it has.
    private func addState(of object: ObjectRecord, _ call: S3Call, to headers: inout HTTPHeaders) {
        addVersion(of: object, call, to: &headers)
        if call.request.query["versionId"] == nil { addExpiration(of: object, call, to: &headers) }
        if !object.tags.isEmpty { headers.add(name: "x-amz-tagging-count", value: String(object.tags.count)) }
        if !object.lockMode.isEmpty {
            headers.add(name: "x-amz-object-lock-mode", value: object.lockMode)
            headers.add(
                name: "x-amz-object-lock-retain-until-date",
                value: HTTPDate.iso8601(milliseconds: object.lockUntilMilliseconds))
        }
        if let status = object.legalHoldStatus { headers.add(name: "x-amz-object-lock-legal-hold", value: status) }
    }

    /// The object that the request names, once it is certain that it may be read.
    func readObject(_ call: S3Call, withBlob: Bool) async throws -> (record: ObjectRecord, blob: ByteBuffer?) {
        let version = try requestedVersion(call.request.query["versionId"])
        let (object, blob) = try await read(version, of: call.object, withBlob: withBlob, call)
        try call.authorize(object)
        return (try present(object, version, call), blob)
    }

    /// The version, unless it is missing or a delete marker.
    private func present(_ object: ObjectRecord?, _ version: String?, _ call: S3Call) throws -> ObjectRecord {
        guard let object else {
            guard version != nil else { throw S3Error.noSuchKey(call.key) }
            throw S3Error(
                .noSuchVersion,
                fields: [.init("Key", call.key), .init("VersionId", call.request.query["versionId"] ?? "")])
        }
        // What is to be removed by now is gone for whoever asks for the key; its version stays readable by its id.
        guard version != nil || !object.isExpired(now: clock() / 1000) else { throw S3Error.noSuchKey(call.key) }
        guard object.isDeleteMarker else { return object }
        var error = version == nil ? S3Error.noSuchKey(call.key) : S3Error(.methodNotAllowed)
        error.headers.append(.init("x-amz-delete-marker", "true"))
        if let id = shownVersion(object, call.bucket) { error.headers.append(.init("x-amz-version-id", id)) }
        if version != nil {
            error.headers.append(.init("Allow", "DELETE"))
            error.headers.append(.init("Last-Modified", HTTPDate.format(object.modifiedSeconds)))
        }
        throw error
    }

    /// A version of an object, nil the current one, with what stands beside its register. May be a delete marker.
    func read(
        _ version: String?, of name: RegisterName, withBlob: Bool, _ call: S3Call
    ) async throws -> (object: ObjectRecord?, blob: ByteBuffer?) {
        let snapshot = try await storage.read(name, withBlob: withBlob, context: call.context)
        let versions = try KeyVersions(snapshot.state)
        guard let version else { return (versions.current, snapshot.blob) }
        switch versions.find(version) {
        case .current(let object): return (object, snapshot.blob)
        case .pending(_, let entry): return (try ObjectRecord(bytes: entry.record), nil)
        case .absent: return (nil, nil)
        case .archived(let archived):
            let snapshot = try await storage.read(
                archived.register(of: name), withBlob: false, context: call.context)
            return (try ObjectRecord(snapshot), nil)
        }
    }

    /// Changes what is said about the version that the request names; its content stays.
    /// - Parameter event: what it is for those who are told; nil: nothing.
    func changeObject(
        _ call: S3Call, event: ObjectEventType? = nil, _ body: @escaping @Sendable (inout ObjectRecord) throws -> Void
    ) async throws -> ObjectRecord {
        let version = try requestedVersion(call.request.query["versionId"])
        let changed = try await versions.change(version, of: call.object, context: call.context) { object in
            try call.authorize(object)
            _ = try self.present(object, version, call)
            try body(&object)
        }
        guard let changed else {
            try call.authorize(nil)
            return try present(nil, version, call)
        }
        // What it is now is not judged again: the change may be that it is to go in a moment.
        let object = changed.record
        if let event {
            await publish(
                event, call.object.key, object, version: shownVersion(object, call.bucket),
                sequence: changed.sequence, call)
        }
        return object
    }
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
        headers.add(name: "ETag", value: ETag.quoted(object.shownETag))
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
        switch conditions.evaluate(etag: object.shownETag, modified: object.modifiedSeconds) {
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
        return ETag.unquoted(validator) == object.shownETag
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
