import Checksums
import Model
import NIOHTTP1
import ObjectAccess
import S3Protocol
import Wire

/// CompleteMultipartUpload.
///
/// Three registers take part, so the order matters:
/// 1. the upload's register goes from open to completing: from here on the object's register decides between completion
///    and abort;
/// 2. the object's register gets the record, as the operation whose id is the upload's: a repetition, by the client or
///    after a crash of this gateway, finds the id there and does not write over what came later. An abort puts an
///    operation of its own there, which a completion that comes later finds;
/// 3. the upload's register and those of its parts are deleted.
/// A repetition after step 3 finds no upload, but the object tells which upload made it. Rejected: to delete the upload
/// first (a crash would lose the parts), and to let the object's register decide every abort (each would write to a key
/// that has nothing to do with it).
///
/// From the reading of the parts to step 2 passes a bounded time: chunks of a part that was replaced in between are kept
/// longer than that before anybody looks whether the object refers to them.
extension S3Operations {
    /// Far below the time for which released chunks are kept.
    static let completionTimeMax = Duration.seconds(60)

    func completeMultipartUpload(_ call: S3Call) async throws -> S3Response {
        let name = try call.upload()
        let condition = try WriteCondition(call.request.headers)
        let body = try await call.request.body.collect(upTo: Limits.xmlBodySizeMax)
        let document = try CompleteUploadDocument(parsing: Array(body.readableBytesView))
        let deadline = now() + Self.completionTimeMax
        let snapshot = try await storage.read(name.register, withBlob: false, context: call.context)
        guard let record = snapshot.liveRecord else { return try await completedBefore(name, call) }
        let upload = try UploadRecord(stored: record)
        let object = try await assemble(upload, name, document, call)
        try Self.checkExpectations(of: object, upload, call.request.headers)
        try await change(name, call, to: .uploadCompleting)
        let (written, sequence) = try await install(object, name, condition, call, until: deadline)
        await publishCompletion(of: written, sequence, call)
        // Before the answer: a repetition that comes late must not find the upload again.
        try await storage.delete(name.register, context: call.context)
        await forgetParts(of: name, call)
        return completed(written, call)
    }

    /// The answer to a repetition, if the object is still the one that the upload made.
    private func completedBefore(_ name: UploadName, _ call: S3Call) async throws -> S3Response {
        let state = try await storage.read(call.object, withBlob: false, context: call.context).state
        guard let state, let made = try state.object(madeBy: name) else { throw S3Error(.noSuchUpload) }
        // Whoever completed it may have died before anybody was told.
        await publishCompletion(of: made, state.sequence, call)
        return completed(made, call)
    }

    private func publishCompletion(of object: ObjectRecord, _ sequence: UInt64, _ call: S3Call) async {
        await publish(
            .createdCompleteMultipartUpload, call.object.key, object, version: shownVersion(object, call.bucket),
            sequence: sequence, call)
    }

    /// What the client says about the whole must be true.
    private static func checkExpectations(
        of object: ObjectRecord, _ upload: UploadRecord, _ headers: HTTPHeaders
    ) throws {
        if let size = headers.first(name: "x-amz-mp-object-size"), UInt64(size) != object.size {
            throw S3Error(
                .invalidRequest, "The provided 'x-amz-mp-object-size' header does not match what was computed.")
        }
        if let type = headers.first(name: "x-amz-checksum-type"), type != upload.checksumType {
            throw S3Error(
                .invalidRequest,
                "The upload was created using the \(upload.checksumType.isEmpty ? "NONE" : upload.checksumType) checksum "
                    + "mode. The complete request must use the same checksum mode.")
        }
    }

    // MARK: - The registers

    private func change(_ name: UploadName, _ call: S3Call, to state: UploadState) async throws {
        _ = try await storage.update(name.register, context: call.context) { present in
            guard let record = present.flatMap({ $0.isLive ? $0.record : nil }) else {
                return .refuse(S3Error(.noSuchUpload))
            }
            do {
                var upload = try UploadRecord(stored: record)
                guard upload.state != state else { return .keep }
                upload.state = state
                return .write(upload.stored)
            } catch {
                return .refuse(error)
            }
        }
    }

    private func install(
        _ object: ObjectRecord, _ name: UploadName, _ condition: WriteCondition, _ call: S3Call,
        until deadline: ContinuousClock.Instant
    ) async throws -> (object: ObjectRecord, sequence: UInt64) {
        let deadline = ProposalDeadline(deadline, late: .completionTooSlow, now: now)
        do {
            let bucket: BucketRecord
            do { bucket = try buckets.checkWritable(call.bucket) } catch { throw AccessError.refused(error) }
            return try await withinQuota(of: bucket) { hold in
                let write = VersionedWrite(
                    object, mode: bucket.versioning, condition: condition, nowMilliseconds: clock(), hold: hold,
                    stored: object.size, pass: deadline.pass)
                return try await perform(write, on: call.object, operation: name.id, call) { state in
                    if state?.wasWritten(by: name) == true { return .keep }
                    if state?.recentOperations.contains(name.abortion) == true {
                        return .refuse(S3Error(.noSuchUpload))
                    }
                    return nil
                }
            }
        } catch AccessError.refused(AccessError.outcomeUnknown) {
            throw AccessError.outcomeUnknown
        } catch AccessError.refused(let reason) {
            // Nothing was written: the client may try again, under another condition too, or abort.
            try? await change(name, call, to: .uploadOpen)
            throw reason
        }
    }

    // MARK: - The record

    private func assemble(
        _ upload: UploadRecord, _ name: UploadName, _ document: CompleteUploadDocument, _ call: S3Call
    ) async throws -> ObjectRecord {
        let stored = try await parts(of: name, after: 0, limit: Limits.partNumberMax, call).parts
        let parts = try Self.choose(document.parts, from: stored)
        let hasher = Checksums.Hasher(.md5)
        for part in parts {
            guard let digest = bytes(ofHex: part.etag) else { throw S3Error(.internalError) }
            hasher.update(digest)
        }
        var object = ObjectRecord(
            version: ObjectRecord.formatVersion, modifiedMilliseconds: clock(),
            size: parts.reduce(0) { $0 + $1.size },
            etag: ETag.ofParts(md5OfMD5s: hasher.finish(), count: parts.count), headers: upload.headers,
            metadata: upload.metadata, blobs: parts.compactMap(\.blob),
            parts: parts.map {
                PartSummary(number: $0.number, size: $0.size, etag: $0.etag, checksums: $0.checksums)
            },
            owner: upload.owner, storageClass: upload.storageClass, uploadId: name.id.description, acl: upload.acl,
            tags: upload.tags, lockMode: upload.lockMode, lockUntilMilliseconds: upload.lockUntilMilliseconds,
            legalHold: upload.legalHold, grants: upload.grants, encryption: upload.encryption)
        if let checksum = MultipartChecksum(upload, parts) {
            object.checksums = [HeaderField(name: checksum.algorithm.rawValue, value: checksum.value)]
            object.checksumType = upload.checksumType
            try checksum.check(call.request.headers)
        }
        return object
    }

    /// The parts that the client names, if they are the ones that it has sent.
    private static func choose(
        _ wanted: [CompleteUploadDocument.Part], from stored: [PartRecord]
    ) throws -> [PartRecord] {
        let byNumber = Dictionary(stored.map { (Int($0.number), $0) }) { first, _ in first }
        var chosen: [PartRecord] = []
        for part in wanted {
            guard let record = byNumber[part.number], record.etag == part.etag,
                part.checksums.allSatisfy({ algorithm, value in
                    record.checksums[algorithm.rawValue].map { $0 == value } ?? true
                })
            else {
                throw S3Error(
                    .invalidPart,
                    fields: [.init("PartNumber", String(part.number)), .init("ETag", part.etag)])
            }
            chosen.append(record)
        }
        for part in chosen.dropLast() where part.size < Limits.partSizeMin {
            throw S3Error(
                .entityTooSmall,
                fields: [
                    .init("ProposedSize", String(part.size)), .init("MinSizeAllowed", String(Limits.partSizeMin)),
                    .init("PartNumber", String(part.number)), .init("ETag", part.etag),
                ])
        }
        return chosen
    }

    // MARK: - The answer

    private func completed(_ object: ObjectRecord, _ call: S3Call) -> S3Response {
        let host = call.request.headers.first(name: "host") ?? "localhost"
        var writer = XMLWriter()
        writer.element("CompleteMultipartUploadResult", namespace: XMLWriter.s3Namespace) { result in
            result.element("Location", "http://\(host)/\(call.bucket.name)/\(PercentEncoding.encode(call.key))")
            result.element("Bucket", call.bucket.name)
            result.element("Key", call.key)
            result.element("ETag", ETag.quoted(object.etag))
            for (algorithm, value) in object.checksums.checksums { result.element(algorithm.elementName, value) }
            if !object.checksumType.isEmpty { result.element("ChecksumType", object.checksumType) }
        }
        var response = S3Response.xml(writer.bytes)
        if object.encryption?.mode != .encryptionSseC { response.add(object.encryption) }
        addVersion(of: object, call, to: &response.headers)
        addExpiration(of: object, call, to: &response.headers)
        return response
    }
}

extension S3Error {
    fileprivate static let completionTooSlow = S3Error(
        .serviceUnavailable, "The upload could not be completed in time. Please try again.")
}
