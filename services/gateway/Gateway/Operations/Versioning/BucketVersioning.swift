import Model
import ObjectAccess
import S3Protocol
import Wire

/// GetBucketVersioning and PutBucketVersioning.
extension S3Operations {
    static let versioningTable: [S3Operation: Operation] = [
        .getBucketVersioning: { $0.getBucketVersioning },
        .putBucketVersioning: { $0.putBucketVersioning },
        .listObjectVersions: { $0.listObjectVersions },
    ]

    func getBucketVersioning(_ call: S3Call) async throws -> S3Response {
        let mode = call.bucket.versioning
        var writer = XMLWriter()
        writer.element("VersioningConfiguration", namespace: XMLWriter.s3Namespace) { root in
            if mode != .unversioned { root.element("Status", mode.rawValue) }
        }
        return .xml(writer.bytes)
    }

    func putBucketVersioning(_ call: S3Call) async throws -> S3Response {
        let body = try await call.request.body.collect(upTo: Limits.xmlBodySizeMax)
        let document = try VersioningDocument(parsing: Array(body.readableBytesView))
        if document.status != VersioningMode.enabled.rawValue, call.bucket.objectLock != nil {
            throw S3Error(
                .invalidBucketState,
                "An Object Lock configuration is present on this bucket, so the versioning state cannot be changed.")
        }
        try await set([.init(name: BucketRecord.versioningName, content: Array(document.status.utf8))], call)
        return S3Response()
    }
}
