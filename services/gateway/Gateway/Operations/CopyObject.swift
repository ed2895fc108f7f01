import Model
import NIOCore
import NIOHTTP1
import ObjectAccess
import S3Protocol
import Wire

/// The object that a copy is made of, found and allowed.
struct CopyOrigin: Sendable {
    let source: CopySource
    let bucket: BucketRecord
    let register: RegisterName
    let whole: WholeObject
    let blob: ByteBuffer?
    /// nil: the source is not encrypted.
    let encryption: ContentEncryption?
    /// How answers name its version; nil: its bucket never had versions.
    let shownVersion: String?

    var object: ObjectRecord { whole.record }

    func addVersion(to headers: inout HTTPHeaders) {
        if let shownVersion { headers.add(name: "x-amz-copy-source-version-id", value: shownVersion) }
    }
}

/// CopyObject, and what UploadPartCopy shares with it.
extension S3Operations {
    func copyObject(_ call: S3Call) async throws -> S3Response {
        let headers = try ObjectHeaders(call.request.headers)
        let access = try newObjectAccess(call)
        let encryption = try await newEncryption(call)
        let condition = try WriteCondition(call.request.headers)
        let lock = try RequestedLock(call.request.headers, bucket: call.bucket, nowMilliseconds: clock())
        let replaces = try Self.replaces(call.request.headers, "x-amz-metadata-directive")
        let replacesTags = try Self.replaces(call.request.headers, "x-amz-tagging-directive")
        let origin = try await copyOrigin(call)
        try Self.checkCopy(of: origin, to: call, replaces: replaces)
        guard origin.object.size <= Limits.putSizeMax else {
            throw S3Error(
                .invalidRequest,
                "The specified copy source is larger than the maximum allowable size for a copy source: "
                    + "\(Limits.putSizeMax)")
        }
        let checksum = try Self.checksumOfCopy(call.request.headers, origin.object)
        let (content, source) = try await copyBytes(
            of: origin, range: 0..<origin.object.size, to: call.object, encryption, call,
            besideRegister: keepsBesideRegister(call), checksum: checksum)
        var object = newObject(
            headers, access, content: content, etag: ETag.ofContent(md5: source.md5(), encryption))
        object.encryption = encryption?.record
        if !replaces {
            let redirect = headers.content.filter { $0.name == ObjectHeaders.websiteRedirectHeader }
            object.headers =
                origin.object.headers.filter { $0.name != ObjectHeaders.websiteRedirectHeader } + redirect
            object.metadata = origin.object.metadata
        }
        if !replacesTags { object.tags = origin.object.tags }
        object.set(lock)
        if let (algorithm, value) = source.checksum() {
            object.checksums = [HeaderField(name: algorithm.rawValue, value: Base64.encode(value))]
            object.checksumType = "FULL_OBJECT"
        }
        let written = try await commit(object, call, content, condition: condition)
        var response = S3Response.xml(Self.copyResult("CopyObjectResult", written))
        addVersion(of: written, call, to: &response.headers)
        addExpiration(of: written, call, to: &response.headers)
        origin.addVersion(to: &response.headers)
        response.add(object.encryption)
        return response
    }

    /// Whether what the request says is taken, not what the source has.
    private static func replaces(_ headers: HTTPHeaders, _ name: String) throws -> Bool {
        switch headers.first(name: name) {
        case nil, "COPY"?: return false
        case "REPLACE"?: return true
        case let other?:
            throw S3Error.invalidArgument(
                "Unknown directive.", name: name, value: other)
        }
    }

    /// The checksum that the copy gets: the one that the request names, else of the source's kind. What was put together
    /// from parts is one piece now, so it is computed anew.
    private static func checksumOfCopy(_ headers: HTTPHeaders, _ origin: ObjectRecord) throws -> ChecksumAlgorithm? {
        guard let name = headers.first(name: "x-amz-checksum-algorithm") else {
            return origin.checksums.checksums.first?.0
        }
        guard let algorithm = ChecksumAlgorithm(name: name) else { throw S3Error.unsupportedChecksum }
        return algorithm
    }

    private static func checkCopy(of origin: CopyOrigin, to call: S3Call, replaces: Bool) throws {
        let headers = call.request.headers
        // An older version is brought back by a copy of it.
        let changes =
            replaces || headers.contains(name: "x-amz-storage-class") || origin.source.versionID != nil
            || headers.contains(name: ObjectHeaders.websiteRedirectHeader)
            || headers.contains { $0.name.lowercased().hasPrefix("x-amz-server-side-encryption") }
        let itself = origin.source.bucket == call.bucket.name && Array(origin.source.key.utf8) == call.object.key
        guard changes || !itself else {
            throw S3Error(
                .invalidRequest,
                "This copy request is illegal because it is trying to copy an object to itself without changing the "
                    + "object's metadata, storage class, website redirect location or encryption attributes.")
        }
    }

    static func copyResult(_ name: StaticString, _ object: ObjectRecord) -> [UInt8] {
        var writer = XMLWriter()
        writer.element(name, namespace: XMLWriter.s3Namespace) { result in
            result.element("LastModified", listedDate(object.modifiedMilliseconds))
            result.element("ETag", ETag.quoted(object.etag))
            for (algorithm, value) in object.checksums.checksums { result.element(algorithm.elementName, value) }
            if !object.checksums.isEmpty, !object.checksumType.isEmpty {
                result.element("ChecksumType", object.checksumType)
            }
        }
        return writer.bytes
    }

    // MARK: - The source

    /// Whoever copies must be allowed to read the source, and the conditions on it must hold.
    func copyOrigin(_ call: S3Call) async throws -> CopyOrigin {
        let source = try CopySource(header: call.request.headers.first(name: "x-amz-copy-source") ?? "")
        let version = try requestedVersion(source.versionID)
        try checkKey(source.key)
        let bucket = try await buckets.find(source.bucket)
        try checkOwner(call.request.headers.first(name: "x-amz-source-expected-bucket-owner"), of: bucket)
        guard let id = bucket.bucketID else { throw S3Error(.internalError) }
        let name = RegisterName(bucket: id, key: Array(source.key.utf8))
        let reader = try readingCall(call, bucket, id, name, versionID: source.versionID)
        let (object, blob) = try await read(version, of: name, withBlob: true, call)
        try reader.authorize(reader.readAction, object.flatMap { $0.isDeleteMarker ? nil : $0 })
        guard let object else { throw version == nil ? S3Error.noSuchKey(source.key) : S3Error(.noSuchVersion) }
        guard version != nil || !object.isExpired(now: clock() / 1000) else { throw S3Error.noSuchKey(source.key) }
        guard !object.isDeleteMarker else {
            guard version == nil else {
                throw S3Error(
                    .invalidRequest,
                    "The source of a copy request may not specifically refer to a delete marker by "
                        + "version id.")
            }
            throw S3Error.noSuchKey(source.key)
        }
        let whole = try await wholeObject(object, reader)
        let conditions = Preconditions(copySource: call.request.headers)
        guard conditions.evaluate(etag: whole.record.shownETag, modified: object.modifiedSeconds) == .proceed else {
            throw S3Error(.preconditionFailed)
        }
        let encryption = try await encryptionKeys.open(
            object.encryption, try CustomerKey(call.request.headers, of: .copySource))
        return CopyOrigin(
            source: source, bucket: bucket, register: name, whole: whole, blob: blob, encryption: encryption,
            shownVersion: shownVersion(object, bucket))
    }

    /// The request as one that reads the source of its copy; throws when it may not.
    func readingCall(
        _ call: S3Call, _ bucket: BucketRecord, _ id: BucketID, _ name: RegisterName, versionID: String?
    ) throws -> S3Call {
        var request = call.request
        (request.bucket, request.key) = (bucket.name, String(decoding: name.key, as: UTF8.self))
        request.query = S3Query(versionID.map { [.init("versionId", $0)] } ?? [])
        let reader = S3Call(
            request: request, bucket: bucket, bucketID: id, context: call.context, rules: try rules(of: bucket),
            now: call.now, dependsOnObject: true)
        guard reader.decision(reader.readAction) != .denied else { throw S3Error(.accessDenied) }
        return reader
    }

    /// Copies bytes chunk by chunk into a blob of their own: blobs belong to one object.
    func copyBytes(
        of origin: CopyOrigin, range: Range<UInt64>, to owner: RegisterName, _ encryption: ContentEncryption?,
        _ call: S3Call, besideRegister: Bool, checksum: ChecksumAlgorithm?
    ) async throws -> (WrittenContent, hashed: HashingSource) {
        let stream = try await wholeContent(
            of: origin.whole, origin.encryption, range: range, beside: origin.blob,
            try readingCall(
                call, origin.bucket, origin.register.bucket, origin.register, versionID: origin.source.versionID))
        let source = HashingSource(stream, checksum: checksum)
        do {
            let content = try await writer(of: owner, call, encryption).write(
                source, expected: UInt64(range.count), besideRegister: besideRegister)
            try await referring(to: content) {
                guard content.size == UInt64(range.count) else {
                    throw AccessError.damaged("content is shorter than its record says")
                }
            }
            return (content, source)
        } catch AccessError.absent {
            try await checkUnchanged(origin, call)
            throw AccessError.absent
        }
    }

    /// A copy may take longer than the content of an object that was replaced is kept.
    private func checkUnchanged(_ origin: CopyOrigin, _ call: S3Call) async throws {
        let present = try await read(
            requestedVersion(origin.source.versionID), of: origin.register, withBlob: false, call
        ).object
        guard present?.blobs == origin.object.blobs else {
            throw S3Error(.serviceUnavailable, "The source was replaced while it was being copied. Please try again.")
        }
    }
}
