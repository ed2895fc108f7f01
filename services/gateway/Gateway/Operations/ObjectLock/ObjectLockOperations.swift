import Model
import NIOHTTP1
import ObjectAccess
import S3Protocol
import Wire

/// GetObjectLockConfiguration, PutObjectLockConfiguration, and retention and legal hold of objects.
extension S3Operations {
    static let objectLockTable: [S3Operation: Operation] = [
        .getObjectLockConfiguration: get(objectLockConfiguration),
        .putObjectLockConfiguration: put(objectLockConfiguration),
        .getObjectRetention: { $0.getObjectRetention },
        .putObjectRetention: { $0.putObjectRetention },
        .getObjectLegalHold: { $0.getObjectLegalHold },
        .putObjectLegalHold: { $0.putObjectLegalHold },
    ]

    private static let objectLockConfiguration = BucketConfiguration(
        name: ObjectLock.documentName, absence: .error(.objectLockConfigurationNotFound)
    ) { body, call, _ in
        _ = try ObjectLockDocument(parsing: body)
        guard call.bucket.versioning == .enabled else {
            throw S3Error(
                .invalidBucketState, "Versioning must be 'Enabled' on the bucket to apply a Object Lock configuration")
        }
        return body
    }

    /// Of a bucket that is made with object lock.
    static let objectLockOfNewBucket = Array(
        ("<ObjectLockConfiguration xmlns=\"\(XMLWriter.s3Namespace)\">"
            + "<ObjectLockEnabled>Enabled</ObjectLockEnabled></ObjectLockConfiguration>").utf8)

    // MARK: - Retention

    func getObjectRetention(_ call: S3Call) async throws -> S3Response {
        let object = try await lockedObject(call)
        guard !object.lockMode.isEmpty else { throw S3Error(.noSuchObjectLockConfiguration) }
        var writer = XMLWriter()
        writer.element("Retention", namespace: XMLWriter.s3Namespace) { root in
            root.element("Mode", object.lockMode)
            root.element("RetainUntilDate", HTTPDate.iso8601(milliseconds: object.lockUntilMilliseconds))
        }
        return .xml(writer.bytes)
    }

    func putObjectRetention(_ call: S3Call) async throws -> S3Response {
        let body = try await call.request.body.collect(upTo: Limits.xmlBodySizeMax)
        let document = try RetentionDocument(parsing: Array(body.readableBytesView))
        let (now, bypass) = (clock(), bypassesGovernance(call))
        if document.mode != nil, document.untilMilliseconds <= now {
            throw S3Error(.invalidArgument, "The retain until date must be in the future!")
        }
        try await changeLock(call) { version in
            try ObjectLock.checkChange(
                of: version, to: document.mode, untilMilliseconds: document.untilMilliseconds, bypass: bypass,
                nowMilliseconds: now)
            version.lockMode = document.mode?.rawValue ?? ""
            version.lockUntilMilliseconds = document.untilMilliseconds
        }
        return S3Response()
    }

    /// The permission is the owner's, the administrators', and that of whom a policy allows it.
    ///
    /// - Parameter key: another key than that of the request.
    func bypassesGovernance(_ call: S3Call, key: [UInt8]? = nil) -> Bool {
        guard call.request.headers.first(name: "x-amz-bypass-governance-retention")?.lowercased() == "true" else {
            return false
        }
        return call.allows(.bypassGovernanceRetention, key: key) || call.request.identity.isAdministrator
    }

    // MARK: - Legal hold

    func getObjectLegalHold(_ call: S3Call) async throws -> S3Response {
        guard let status = try await lockedObject(call).legalHoldStatus else {
            throw S3Error(.noSuchObjectLockConfiguration)
        }
        var writer = XMLWriter()
        writer.element("LegalHold", namespace: XMLWriter.s3Namespace) { root in root.element("Status", status) }
        return .xml(writer.bytes)
    }

    func putObjectLegalHold(_ call: S3Call) async throws -> S3Response {
        let body = try await call.request.body.collect(upTo: Limits.xmlBodySizeMax)
        let document = try LegalHoldDocument(parsing: Array(body.readableBytesView))
        try await changeLock(call) { ($0.legalHold, $0.legalHoldKnown) = (document.isOn, true) }
        return S3Response()
    }

    // MARK: - Both

    private func lockedObject(_ call: S3Call) async throws -> ObjectRecord {
        guard call.bucket.objectLock != nil else { throw S3Error.missingObjectLock }
        return try await readObject(call, withBlob: false).record
    }

    private func changeLock(
        _ call: S3Call, _ body: @escaping @Sendable (inout ObjectRecord) throws -> Void
    ) async throws {
        guard call.bucket.objectLock != nil else { throw S3Error.missingObjectLock }
        _ = try await changeObject(call, body)
    }
}
