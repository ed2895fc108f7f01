import Model
import NIOHTTP1
import ObjectAccess
import S3Protocol
import Wire

/// PutObject.
extension S3Operations {
    func putObject(_ call: S3Call) async throws -> S3Response {
        let headers = try ObjectHeaders(call.request.headers)
        let access = try newObjectAccess(call)
        let encryption = try await newEncryption(call)
        let lock = try RequestedLock(call.request.headers, bucket: call.bucket, nowMilliseconds: clock())
        let condition = try WriteCondition(call.request.headers)
        let body = call.request.body
        let content = try await writer(of: call.object, call, encryption).write(
            body, expected: body.declaredLength, besideRegister: keepsBesideRegister(call))
        guard let md5 = body.digests.md5 else { throw S3Error(.internalError) }
        var object = newObject(
            headers, access, content: content, etag: ETag.ofContent(md5: md5, encryption))
        object.encryption = encryption?.record
        object.checksums = body.checksumFields
        object.checksumType = object.checksums.isEmpty ? "" : "FULL_OBJECT"
        object.set(lock)
        let written = try await commit(object, call, content, condition: condition)
        var response = S3Response(headers: ["ETag": ETag.quoted(object.etag)])
        response.add(object.encryption)
        for (algorithm, value) in object.checksums.checksums {
            response.headers.add(name: algorithm.headerName, value: value)
        }
        if !object.checksumType.isEmpty {
            response.headers.add(name: "x-amz-checksum-type", value: object.checksumType)
        }
        addVersion(of: written, call, to: &response.headers)
        addExpiration(of: written, call, to: &response.headers)
        return response
    }

    func newObject(
        _ headers: ObjectHeaders, _ access: ObjectAccess, content: WrittenContent, etag: String
    ) -> ObjectRecord {
        ObjectRecord(
            version: ObjectRecord.formatVersion, modifiedMilliseconds: clock(), size: content.size, etag: etag,
            headers: headers.content, metadata: headers.metadata, blobs: content.blob.map { [$0] } ?? [],
            owner: access.owner, storageClass: headers.storageClass, acl: access.acl, tags: headers.tags,
            grants: access.grants)
    }

    /// Where predecessors stay, content must be able to go with its version to another register.
    func keepsBesideRegister(_ call: S3Call) -> Bool { call.bucket.versioning == .unversioned }

    /// Makes the object the current version of its key, if the condition holds. Returns it as it was written.
    func commit(
        _ object: ObjectRecord, _ call: S3Call, _ content: WrittenContent, condition: WriteCondition
    ) async throws -> ObjectRecord {
        let deadline = ProposalDeadline(content.deadline, late: .uploadTooSlow, now: now)
        let (written, sequence) = try await referring(to: content) {
            try await noteExpiry(of: object, call)
            let bucket = try buckets.checkWritable(call.bucket)
            return try await withinQuota(of: bucket) { hold in
                let write = VersionedWrite(
                    object, mode: bucket.versioning, condition: condition, nowMilliseconds: clock(), hold: hold,
                    pass: deadline.pass)
                return try await perform(write, on: call.object, staged: content.staged, call)
            }
        }
        await publish(
            call.request.operation.creation, call.object.key, written, version: shownVersion(written, call.bucket),
            sequence: sequence, call)
        return written
    }
}

extension S3Operation {
    /// What an operation that writes an object is for those who are told.
    fileprivate var creation: ObjectEventType {
        switch self {
        case .postObject: .createdPost
        case .copyObject: .createdCopy
        default: .createdPut
        }
    }
}

extension WriteCondition {
    /// Judges what stands under the key. What has expired is not there any more.
    func check(presentIn state: StoredRegister?, nowMilliseconds: Int64) throws {
        guard self != .none else { return }
        let live = try state.flatMap { $0.isLive ? $0.record : nil }.map { try ObjectRecord(stored: $0) }
        try check(etag: live.flatMap { $0.isExpired(now: nowMilliseconds / 1000) ? nil : $0.shownETag })
    }
}

extension RequestBody {
    /// The checksums that the client asked for, as records keep them. After the end.
    var checksumFields: [HeaderField] {
        digests.checksums.compactMap { name, value in
            ChecksumAlgorithm(name: name).map { HeaderField(name: $0.rawValue, value: Base64.encode(value)) }
        }.sorted { $0.name < $1.name }
    }
}
