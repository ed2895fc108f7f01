import Model
import NIOHTTP1
import ObjectAccess
import S3Protocol
import Wire

/// DeleteObject and DeleteObjects.
extension S3Operations {
    func deleteObject(_ call: S3Call) async throws -> S3Response {
        try checkVersion(call.request.query["versionId"])
        try await delete(
            call.object, call, onlyIf: call.request.headers.first(name: "if-match").map(ETag.unquoted))
        return S3Response(status: .noContent)
    }

    /// What is not there is deleted already.
    private func delete(_ name: RegisterName, _ call: S3Call, onlyIf etag: String?) async throws {
        try await storage.delete(name, context: call.context) { record in
            guard let etag else { return nil }
            guard let record else { return S3Error.noSuchKey }
            do {
                let present = try ObjectRecord(stored: record).etag
                return etag == "*" || etag == present
                    ? nil : S3Error(.preconditionFailed, fields: [.init("Condition", "If-Match")])
            } catch {
                return error
            }
        }
    }

    // MARK: - Many at once

    /// Registers that one request changes at a time.
    private static let deletesAtOnce = 16

    func deleteObjects(_ call: S3Call) async throws -> S3Response {
        let headers = call.request.headers
        // The body names what to destroy: AWS insists that it is protected.
        guard
            headers.contains(name: "content-md5")
                || ChecksumAlgorithm.allCases.contains(where: { headers.contains(name: $0.headerName) })
                || headers.contains(name: "x-amz-trailer")
        else {
            throw S3Error(.invalidRequest, "Missing required header for this request: Content-MD5")
        }
        let body = try await call.request.body.collect(upTo: Limits.xmlBodySizeMax)
        let document = try DeleteDocument(parsing: Array(body.readableBytesView))
        let outcomes = await deleteAll(document.targets, call)
        return .xml(Self.deleteResult(document, outcomes))
    }

    /// What went wrong with each target, in order; nil: deleted.
    private func deleteAll(_ targets: [DeleteDocument.Target], _ call: S3Call) async -> [S3Error?] {
        await withTaskGroup(of: (Int, S3Error?).self) { group in
            var outcomes = [S3Error?](repeating: nil, count: targets.count)
            for (index, target) in targets.enumerated() {
                if index >= Self.deletesAtOnce, let (done, outcome) = await group.next() { outcomes[done] = outcome }
                group.addTask { (index, await self.outcome(of: target, call)) }
            }
            for await (done, outcome) in group { outcomes[done] = outcome }
            return outcomes
        }
    }

    private func outcome(of target: DeleteDocument.Target, _ call: S3Call) async -> S3Error? {
        do {
            try checkVersion(target.versionID)
            try checkKey(target.key)
            let action = target.versionID == nil ? S3Action.deleteObject : .deleteObjectVersion
            guard call.allows(action, key: Array(target.key.utf8)) else { throw S3Error(.accessDenied) }
            let name = RegisterName(bucket: call.bucketID, key: Array(target.key.utf8))
            try await delete(name, call, onlyIf: target.etag)
            return nil
        } catch {
            return S3Error(error)
        }
    }

    private static func deleteResult(_ document: DeleteDocument, _ outcomes: [S3Error?]) -> [UInt8] {
        var writer = XMLWriter()
        writer.element("DeleteResult", namespace: XMLWriter.s3Namespace) { result in
            for (target, outcome) in zip(document.targets, outcomes) {
                if let error = outcome {
                    result.element("Error") { element in
                        element.element("Key", target.key)
                        element.element("VersionId", ifPresent: target.versionID)
                        element.element("Code", error.code.rawValue)
                        element.element("Message", error.message)
                    }
                } else if !document.quiet {
                    result.element("Deleted") { element in
                        element.element("Key", target.key)
                        element.element("VersionId", ifPresent: target.versionID)
                    }
                }
            }
        }
        return writer.bytes
    }
}
