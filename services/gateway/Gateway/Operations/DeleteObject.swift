import Model
import NIOHTTP1
import ObjectAccess
import S3Protocol
import Synchronization
import Wire

/// What became of one delete.
private struct DeleteOutcome: Sendable {
    /// The version that is gone, or the delete marker that was put; nil: the bucket never had versions.
    var version: String?
    /// A delete marker was put, or was the version that is gone.
    var isMarker = false
    /// The version that is gone, or the marker; nil: nothing was there.
    var object: ObjectRecord?
    var event = ObjectEventType.removedDelete
    /// Place of the decision in the chain of the key's register.
    var sequence: UInt64 = 0
}

/// One delete that a client asks for.
private struct DeleteRequest: Sendable {
    var key: RegisterName
    /// As records have it; nil: the key, not one of its versions.
    var version: String?
    var condition: DeleteCondition
    /// Governance may be passed over.
    var bypass: Bool
    /// Is shown the object that is to go, nil: there is none; may refuse.
    var refusing: @Sendable (ObjectRecord?) throws -> Void = { _ in }
}

/// The bucket has versions, as the key's register tells: a delete puts a marker.
private struct MarksDeletes: Error {}

/// DeleteObject and DeleteObjects.
extension S3Operations {
    func deleteObject(_ call: S3Call) async throws -> S3Response {
        let headers = call.request.headers
        let condition = try DeleteCondition(
            etag: headers.first(name: "if-match"), modified: headers.first(name: "x-amz-if-match-last-modified-time"),
            size: headers.first(name: "x-amz-if-match-size"))
        let request = DeleteRequest(
            key: call.object, version: try requestedVersion(call.request.query["versionId"]), condition: condition,
            bypass: bypassesGovernance(call))
        let outcome = try await delete(request, call)
        var response = S3Response(status: .noContent)
        if let version = outcome.version { response.headers.add(name: "x-amz-version-id", value: version) }
        if outcome.isMarker { response.headers.add(name: "x-amz-delete-marker", value: "true") }
        return response
    }

    /// For other fronts: the object of the key, by the rules of its bucket. Where there are versions a delete marker comes
    /// above it, and what is locked stays.
    /// - Parameters:
    ///   - version: goes for good, as records name it; nil: the object of the key.
    ///   - refusing: is shown the object, nil: there is none; may refuse.
    /// - Returns: the version that is gone, or the delete marker that was put; nil: the bucket never had versions.
    @discardableResult
    func removeObject(
        _ key: RegisterName, version: String? = nil, _ call: S3Call,
        refusing: @escaping @Sendable (ObjectRecord?) throws -> Void
    ) async throws -> String? {
        try await delete(
            DeleteRequest(
                key: key, version: version, condition: DeleteCondition(), bypass: false, refusing: refusing), call
        ).version
    }

    private func delete(_ request: DeleteRequest, _ call: S3Call) async throws -> DeleteOutcome {
        let outcome = try await carryOut(request, call)
        if let object = outcome.object {
            await publish(
                outcome.event, request.key.key, object, version: outcome.version, sequence: outcome.sequence, call)
        }
        return outcome
    }

    private func carryOut(_ request: DeleteRequest, _ call: S3Call) async throws -> DeleteOutcome {
        if let version = request.version { return try await delete(version, request, call) }
        if try buckets.checkWritable(call.bucket).versioning == .unversioned {
            do {
                return try await deleteOnly(request, call)
            } catch AccessError.refused(is MarksDeletes) {}
        }
        return try await putMarker(request, call)
    }

    /// Of a key without versions. What is not there is deleted already.
    private func deleteOnly(_ request: DeleteRequest, _ call: S3Call) async throws -> DeleteOutcome {
        let now = clock()
        let removed = Mutex<ObjectRecord?>(nil)
        let state = try await storage.update(
            request.key, deleting: true, staged: nil, operation: .random(), context: call.context
        ) { state in
            do {
                let versions = try KeyVersions(state)
                guard !versions.marksDeletes(.unversioned) else { return .refuse(MarksDeletes()) }
                try request.check(versions.current, nowMilliseconds: now)
                // A repeated attempt that finds nothing has been carried out before.
                if let current = versions.current { removed.withLock { $0 = current } }
                return versions.current == nil ? .keep : .write(.tombstone)
            } catch {
                return .refuse(error)
            }
        }
        guard let object = removed.withLock({ $0 }) else { return DeleteOutcome() }
        quotas.note(call.bucketID, object.removal)
        return DeleteOutcome(object: object, sequence: state?.sequence ?? 0)
    }

    /// One version, for good.
    private func delete(_ version: String, _ request: DeleteRequest, _ call: S3Call) async throws -> DeleteOutcome {
        let now = clock()
        let removed = try await versions.remove(version, of: request.key, context: call.context) {
            try request.check($0, nowMilliseconds: now)
        }
        if let removed { quotas.note(call.bucketID, removed.record.removal) }
        return DeleteOutcome(
            version: version.isEmpty ? "null" : version, isMarker: removed?.record.isDeleteMarker ?? false,
            object: removed?.record, sequence: removed?.sequence ?? 0)
    }

    private func putMarker(_ request: DeleteRequest, _ call: S3Call) async throws -> DeleteOutcome {
        let marker = ObjectRecord(
            version: ObjectRecord.formatVersion, modifiedMilliseconds: clock(), owner: call.owner,
            kind: .versionDeleteMarker)
        let mode = try buckets.checkWritable(call.bucket).versioning
        let write = VersionedWrite(
            marker, mode: mode, condition: .none, nowMilliseconds: clock(), pass: { .write($0) })
        let (written, sequence) = try await perform(write, on: request.key, call) { state in
            do {
                let present = try KeyVersions(state).current.flatMap { $0.isDeleteMarker ? nil : $0 }
                try request.refusing(present)
                try request.condition.check(present?.judged)
                return nil
            } catch {
                return .refuse(error)
            }
        }
        return DeleteOutcome(
            version: written.isNull ? "null" : written.versionId, isMarker: true, object: written,
            event: .removedDeleteMarkerCreated, sequence: sequence)
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

    /// What became of each target, in order.
    private func deleteAll(
        _ targets: [DeleteDocument.Target], _ call: S3Call
    ) async -> [Result<DeleteOutcome, S3Error>] {
        await withTaskGroup(of: (Int, Result<DeleteOutcome, S3Error>).self) { group in
            var outcomes = [Result<DeleteOutcome, S3Error>](
                repeating: .failure(S3Error(.internalError)), count: targets.count)
            for (index, target) in targets.enumerated() {
                if index >= Self.deletesAtOnce, let (done, outcome) = await group.next() { outcomes[done] = outcome }
                group.addTask { (index, await self.outcome(of: target, call)) }
            }
            for await (done, outcome) in group { outcomes[done] = outcome }
            return outcomes
        }
    }

    private func outcome(
        of target: DeleteDocument.Target, _ call: S3Call
    ) async -> Result<DeleteOutcome, S3Error> {
        do {
            try checkKey(target.key)
            let action = target.versionID == nil ? S3Action.deleteObject : .deleteObjectVersion
            guard call.allows(action, key: Array(target.key.utf8)) else { throw S3Error(.accessDenied) }
            let request = DeleteRequest(
                key: RegisterName(bucket: call.bucketID, key: Array(target.key.utf8)),
                version: try requestedVersion(target.versionID), condition: target.condition,
                bypass: bypassesGovernance(call, key: Array(target.key.utf8)))
            return .success(try await delete(request, call))
        } catch {
            return .failure(S3Error(error))
        }
    }

    private static func deleteResult(
        _ document: DeleteDocument, _ outcomes: [Result<DeleteOutcome, S3Error>]
    ) -> [UInt8] {
        var writer = XMLWriter()
        writer.element("DeleteResult", namespace: XMLWriter.s3Namespace) { result in
            for (target, outcome) in zip(document.targets, outcomes) {
                switch outcome {
                case .success(let outcome):
                    if !document.quiet { write(outcome, target, to: &result) }
                case .failure(let error):
                    result.element("Error") { element in
                        element.element("Key", target.key)
                        element.element("VersionId", ifPresent: target.versionID)
                        element.element("Code", error.code.rawValue)
                        element.element("Message", error.message)
                    }
                }
            }
        }
        return writer.bytes
    }

    private static func write(
        _ outcome: DeleteOutcome, _ target: DeleteDocument.Target, to result: inout XMLWriter
    ) {
        result.element("Deleted") { element in
            element.element("Key", target.key)
            element.element("VersionId", ifPresent: target.versionID)
            guard outcome.isMarker else { return }
            element.element("DeleteMarker", true)
            element.element("DeleteMarkerVersionId", ifPresent: outcome.version)
        }
    }
}

extension DeleteRequest {
    /// Throws unless the version may go.
    func check(_ version: ObjectRecord?, nowMilliseconds: Int64) throws {
        try refusing(version)
        try condition.check(version?.judged)
        if let version { try ObjectLock.checkRemoval(of: version, bypass: bypass, nowMilliseconds: nowMilliseconds) }
    }
}

extension ObjectRecord {
    /// What conditions on a delete look at; nil: a delete marker has none of it.
    fileprivate var judged: (etag: String, modified: Int64, size: UInt64)? {
        isDeleteMarker ? nil : (etag, modifiedSeconds, size)
    }
}
