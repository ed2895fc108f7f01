import Model
import NIOHTTP1
import ObjectAccess
import S3Protocol
import Wire

/// CreateMultipartUpload, UploadPart, UploadPartCopy, AbortMultipartUpload.
extension S3Operations {
    func createMultipartUpload(_ call: S3Call) async throws -> S3Response {
        let headers = try ObjectHeaders(call.request.headers)
        let access = try newObjectAccess(call)
        let encryption = try await newEncryption(call)
        let lock = try RequestedLock(call.request.headers, bucket: call.bucket, nowMilliseconds: clock())
        let (algorithm, type) = try Self.checksum(call.request.headers)
        let name = UploadName(bucket: call.bucketID, key: call.object.key, id: .random())
        let upload = UploadRecord(
            version: UploadRecord.formatVersion, initiatedMilliseconds: clock(), state: .uploadOpen,
            owner: access.owner, headers: headers.content, metadata: headers.metadata,
            storageClass: headers.storageClass, checksumAlgorithm: algorithm?.rawValue ?? "", checksumType: type,
            acl: access.acl, key: call.key, tags: headers.tags, lockMode: lock.mode?.rawValue ?? "",
            lockUntilMilliseconds: lock.untilMilliseconds, legalHold: lock.legalHold, grants: access.grants,
            encryption: encryption?.record)
        try buckets.checkWritable(call.bucket)
        _ = try await storage.update(name.register, context: call.context) { _ in .write(upload.stored) }
        var writer = XMLWriter()
        writer.element("InitiateMultipartUploadResult", namespace: XMLWriter.s3Namespace) { result in
            result.element("Bucket", call.bucket.name)
            result.element("Key", call.key)
            result.element("UploadId", name.id.description)
        }
        var response = S3Response.xml(writer.bytes)
        response.add(upload.encryption)
        if let algorithm {
            response.headers.add(name: "x-amz-checksum-algorithm", value: algorithm.rawValue)
            response.headers.add(name: "x-amz-checksum-type", value: type)
        }
        return response
    }

    /// Algorithm and type that the client wants for the whole object.
    private static func checksum(_ headers: HTTPHeaders) throws -> (ChecksumAlgorithm?, type: String) {
        guard let name = headers.first(name: "x-amz-checksum-algorithm") else {
            guard headers.first(name: "x-amz-checksum-type") == nil else {
                throw S3Error(.invalidRequest, "The x-amz-checksum-type header requires x-amz-checksum-algorithm.")
            }
            return (nil, "")
        }
        guard let algorithm = ChecksumAlgorithm(name: name) else { throw S3Error.unsupportedChecksum }
        let type = headers.first(name: "x-amz-checksum-type") ?? (algorithm == .crc64nvme ? "FULL_OBJECT" : "COMPOSITE")
        let possible = type == "FULL_OBJECT" ? algorithm.combines : type == "COMPOSITE" && algorithm != .crc64nvme
        guard possible else {
            throw S3Error(
                .invalidRequest,
                "The \(type) checksum type cannot be used with the \(name.lowercased()) checksum algorithm."
            )
        }
        return (algorithm, type)
    }

    // MARK: - Parts

    /// A part that comes with a checksum must have the one that its upload was begun with.
    private static func checkAlgorithm(of upload: UploadRecord, _ headers: HTTPHeaders) throws {
        guard let expected = ChecksumAlgorithm(name: upload.checksumAlgorithm) else { return }
        let trailers = headers["x-amz-trailer"].flatMap { $0.split(separator: ",") }.map {
            String($0.filter { $0 != " " })
        }
        let given = (headers.map(\.name) + trailers).compactMap { ChecksumAlgorithm(header: $0) }
        guard let other = given.first(where: { $0 != expected }) else { return }
        throw S3Error(
            .invalidRequest,
            "Checksum Type mismatch occurred, expected checksum Type: \(expected.rawValue.lowercased()), actual checksum "
                + "Type: \(other.rawValue.lowercased())")
    }

    func uploadPart(_ call: S3Call) async throws -> S3Response {
        let name = try call.upload()
        let number = try call.partNumber()
        let upload = try await openUpload(name, call)
        let encryption = try await openEncryption(upload, call)
        try Self.checkAlgorithm(of: upload, call.request.headers)
        let body = call.request.body
        let content = try await writer(of: name.register, call, encryption).write(
            body, expected: body.declaredLength, besideRegister: false)
        guard let md5 = body.digests.md5 else { throw S3Error(.internalError) }
        let part = try await commitPart(
            name, number, content, etag: ETag.ofContent(md5: md5, encryption), checksums: body.checksumFields, call)
        var response = S3Response(headers: ["ETag": ETag.quoted(part.etag)])
        response.add(encryption?.record)
        for (algorithm, value) in part.checksums.checksums {
            response.headers.add(name: algorithm.headerName, value: value)
        }
        return response
    }

    func uploadPartCopy(_ call: S3Call) async throws -> S3Response {
        let name = try call.upload()
        let number = try call.partNumber()
        let upload = try await openUpload(name, call)
        let encryption = try await openEncryption(upload, call)
        let origin = try await copyOrigin(call)
        var range = 0..<origin.object.size
        if let header = call.request.headers.first(name: "x-amz-copy-source-range") {
            range = try ByteRange.copySource(header: header, size: origin.object.size)
        }
        let (content, source) = try await copyBytes(
            of: origin, range: range, to: name.register, encryption, call, besideRegister: false,
            checksum: ChecksumAlgorithm(name: upload.checksumAlgorithm))
        let checksums = source.checksum().map { [HeaderField(name: $0.rawValue, value: Base64.encode($1))] } ?? []
        let part = try await commitPart(
            name, number, content, etag: ETag.ofContent(md5: source.md5(), encryption), checksums: checksums, call)
        let shown = ObjectRecord(
            modifiedMilliseconds: part.modifiedMilliseconds, etag: part.etag, checksums: part.checksums)
        var response = S3Response.xml(Self.copyResult("CopyPartResult", shown))
        origin.addVersion(to: &response.headers)
        response.add(encryption?.record)
        return response
    }

    /// Replaces a part of the same number.
    private func commitPart(
        _ name: UploadName, _ number: Int, _ content: WrittenContent, etag: String, checksums: [HeaderField],
        _ call: S3Call
    ) async throws -> PartRecord {
        let part = PartRecord(
            version: PartRecord.formatVersion, number: UInt32(number), size: content.size,
            etag: etag, modifiedMilliseconds: clock(), blob: content.blob, checksums: checksums,
            objectKey: name.key)
        let deadline = ProposalDeadline(content.deadline, late: .uploadTooSlow, now: now)
        try await referring(to: content) {
            _ = try await openUpload(name, call)
            try await withinQuota(of: buckets.checkWritable(call.bucket)) { hold in
                _ = try await storage.update(name.part(number), context: call.context) { state in
                    do {
                        try hold?.reserve(try part.usage(replacing: state))
                    } catch {
                        return .refuse(error)
                    }
                    return deadline.pass(part.stored)
                }
            }
        }
        try await checkNotEnded(name, number, call)
        return part
    }

    /// The upload may have ended while the part was written: then nobody would ever look for the part again. While it is
    /// being completed the part stays: the completion may have seen it, and removes what it did not take.
    private func checkNotEnded(_ name: UploadName, _ number: Int, _ call: S3Call) async throws {
        let upload = try? await storage.read(name.register, withBlob: false, context: call.context)
        guard let upload, upload.liveRecord == nil else { return }
        try await storage.delete(name.part(number), context: call.context)
        throw S3Error(.noSuchUpload)
    }

    // MARK: - Abort

    /// Of an open upload its register decides: whoever changes it first, abort or complete, wins. Of one that is being
    /// completed, or whose completion died half way, the object's register decides.
    func abortMultipartUpload(_ call: S3Call) async throws -> S3Response {
        let name = try call.upload()
        do {
            try await remove(name, call) { $0 == .uploadOpen }
        } catch AccessError.refused(BeingCompleted.upload) {
            let hasCompleted = try await preventCompletion(of: name, call)
            try await remove(name, call) { _ in true }
            await forgetParts(of: name, call, givingBack: !hasCompleted)
            guard !hasCompleted else { throw S3Error(.noSuchUpload) }
            return S3Response(status: .noContent)
        }
        await forgetParts(of: name, call, givingBack: true)
        return S3Response(status: .noContent)
    }

    private enum BeingCompleted: Error {
        case upload
    }

    private func remove(
        _ name: UploadName, _ call: S3Call, if isAllowed: @escaping @Sendable (UploadState) -> Bool
    ) async throws {
        try await storage.delete(name.register, context: call.context) { record in
            guard let record else { return S3Error(.noSuchUpload) }
            do {
                return isAllowed(try UploadRecord(stored: record).state) ? nil : BeingCompleted.upload
            } catch {
                return error
            }
        }
    }

    /// Writes what is there under an operation that a completion recognises, unless the completion was first. Returns
    /// whether it was.
    private func preventCompletion(of name: UploadName, _ call: S3Call) async throws -> Bool {
        let state = try await storage.update(
            call.object, deleting: false, staged: nil, operation: name.abortion, context: call.context
        ) { state in
            state?.wasWritten(by: name) == true ? .keep : .write(state?.record ?? .tombstone)
        }
        return state?.wasWritten(by: name) == true
    }

    /// Removes the registers of parts that no upload refers to any more. What is left over after a failure harms
    /// nobody: ids of uploads are never used again.
    /// - Parameter givingBack: their content goes too; else an object has it now.
    func forgetParts(of name: UploadName, _ call: S3Call, givingBack: Bool = false) async {
        do {
            let parts = try await parts(of: name, after: 0, limit: Limits.partNumberMax, call).parts
            try await withThrowingTaskGroup(of: Void.self) { group in
                for (index, part) in parts.enumerated() {
                    if index >= 16 { try await group.next() }
                    let register = name.part(Int(part.number))
                    group.addTask { try await self.storage.delete(register, context: call.context) }
                }
                try await group.waitForAll()
            }
            guard givingBack else { return }
            quotas.note(call.bucketID, UsageChange(bytes: -Int64(clamping: parts.reduce(0) { $0 + $1.size })))
        } catch {
            logger.info("parts of an ended upload are left", metadata: ["upload": "\(name.id)", "error": "\(error)"])
        }
    }
}

extension S3Error {
    static let unsupportedChecksum = S3Error(
        .invalidRequest,
        "Checksum algorithm provided is unsupported. Please try again with any of the valid types: "
            + "[CRC32, CRC32C, CRC64NVME, SHA1, SHA256]")
}

extension PartRecord {
    /// What the bucket holds more when this part takes the place of what its register has.
    fileprivate func usage(replacing state: StoredRegister?) throws -> UsageChange {
        let old = try state.flatMap { $0.isLive ? $0.record : nil }.map { try PartRecord(stored: $0).size } ?? 0
        return UsageChange(bytes: Int64(clamping: size) - Int64(clamping: old))
    }
}
