import Model
import NIOHTTP1
import ObjectAccess
import S3Protocol
import Wire

/// CreateMultipartUpload, UploadPart, UploadPartCopy, AbortMultipartUpload.
extension S3Operations {
    func createMultipartUpload(_ call: S3Call) async throws -> S3Response {
        let headers = try ObjectHeaders(call.request.headers)
        let (algorithm, type) = try Self.checksum(call.request.headers)
        let name = UploadName(bucket: call.bucketID, key: call.object.key, id: .random())
        let upload = UploadRecord(
            version: UploadRecord.formatVersion, initiatedMilliseconds: clock(), state: .uploadOpen,
            owner: call.owner, headers: headers.content, metadata: headers.metadata,
            storageClass: headers.storageClass, checksumAlgorithm: algorithm?.rawValue ?? "", checksumType: type,
            acl: headers.acl?.rawValue ?? "", key: call.key)
        try buckets.checkWritable(call.bucket)
        _ = try await storage.update(name.register, context: call.context) { _ in .write(upload.stored) }
        var writer = XMLWriter()
        writer.element("InitiateMultipartUploadResult", namespace: XMLWriter.s3Namespace) { result in
            result.element("Bucket", call.bucket.name)
            result.element("Key", call.key)
            result.element("UploadId", name.id.description)
        }
        var response = S3Response.xml(writer.bytes)
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
        guard let algorithm = ChecksumAlgorithm(name: name) else {
            throw S3Error(
                .invalidRequest,
                "Checksum algorithm provided is unsupported. Please try again with any of the valid types: "
                    + "[CRC32, CRC32C, CRC64NVME, SHA1, SHA256]")
        }
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

    func uploadPart(_ call: S3Call) async throws -> S3Response {
        let name = try call.upload()
        let number = try call.partNumber()
        _ = try await openUpload(name, call)
        let body = call.request.body
        let content = try await writer(of: name.register, call).write(
            body, expected: body.declaredLength, besideRegister: false)
        guard let md5 = body.digests.md5 else { throw S3Error(.internalError) }
        let part = try await commitPart(name, number, content, md5: md5, checksums: body.checksumFields, call)
        var response = S3Response(headers: ["ETag": ETag.quoted(part.etag)])
        for (algorithm, value) in part.checksums.checksums {
            response.headers.add(name: algorithm.headerName, value: value)
        }
        return response
    }

    func uploadPartCopy(_ call: S3Call) async throws -> S3Response {
        let name = try call.upload()
        let number = try call.partNumber()
        _ = try await openUpload(name, call)
        let origin = try await copyOrigin(call)
        var range = 0..<origin.object.size
        if let header = call.request.headers.first(name: "x-amz-copy-source-range") {
            range = try ByteRange.copySource(header: header, size: origin.object.size)
        }
        let (content, md5) = try await copyBytes(
            of: origin, range: range, owner: name.register, call, besideRegister: false)
        let part = try await commitPart(name, number, content, md5: md5, checksums: [], call)
        return .xml(Self.copyResult("CopyPartResult", etag: part.etag, modified: part.modifiedMilliseconds))
    }

    /// Replaces a part of the same number.
    private func commitPart(
        _ name: UploadName, _ number: Int, _ content: WrittenContent, md5: [UInt8], checksums: [HeaderField],
        _ call: S3Call
    ) async throws -> PartRecord {
        let part = PartRecord(
            version: PartRecord.formatVersion, number: UInt32(number), size: content.size,
            etag: ETag.ofContent(md5: md5), modifiedMilliseconds: clock(), blob: content.blob, checksums: checksums)
        // The upload may have ended while the part arrived: then nobody would ever look for the part again.
        _ = try await openUpload(name, call)
        _ = try await storage.update(name.part(number), context: call.context) { _ in .write(part.stored) }
        return part
    }

    // MARK: - Abort

    /// Decided by the upload's register: whoever changes it first, abort or complete, wins.
    func abortMultipartUpload(_ call: S3Call) async throws -> S3Response {
        let name = try call.upload()
        try await storage.delete(name.register, context: call.context) { record in
            guard let record else { return S3Error(.noSuchUpload) }
            do {
                let upload = try UploadRecord(stored: record)
                return upload.state == .uploadOpen
                    ? nil : S3Error(.operationAborted, "The upload is being completed.")
            } catch {
                return error
            }
        }
        await forgetParts(of: name, call)
        return S3Response(status: .noContent)
    }

    /// Removes the registers of parts that no upload refers to any more. What is left over after a failure harms
    /// nobody: ids of uploads are never used again.
    func forgetParts(of name: UploadName, _ call: S3Call) async {
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
        } catch {
            logger.info("parts of an ended upload are left", metadata: ["upload": "\(name.id)", "error": "\(error)"])
        }
    }
}
