import MessageBus
import Model
import NIOCore
import NIOHTTP1
import S3Protocol
import Wire

/// Encryption of objects: what requests and buckets want, and content that is read whatever way it is stored.
extension S3Operations {
    static let encryptionTable: [S3Operation: Operation] = [
        .getBucketEncryption: get(bucketEncryption), .putBucketEncryption: put(bucketEncryption),
        .deleteBucketEncryption: delete(bucketEncryption),
    ]

    private static let bucketEncryption = BucketConfiguration(
        name: "encryption", absence: .error(.serverSideEncryptionConfigurationNotFound)
    ) { body, _, operations in
        let wanted = try BucketEncryption(parsing: body)
        if let key = wanted.keyID.flatMap(EncryptionWish.keyName) { _ = try await operations.encryptionKeys.named(key) }
        return body
    }

    /// How the object that the request makes is to be encrypted: as it says, otherwise as its bucket says. nil: not at
    /// all.
    func newEncryption(_ call: S3Call) async throws -> ContentEncryption? {
        if let wish = try EncryptionWish(call.request.headers) { return try await encryptionKeys.make(wish) }
        guard let document = call.bucket.document("encryption") else { return nil }
        let wanted = try BucketEncryption(parsing: document)
        switch wanted.algorithm {
        case .aes256: return try await encryptionKeys.make(.sseS3)
        case .kms:
            return try await encryptionKeys.make(
                .sseKMS(
                    key: wanted.keyID.flatMap(EncryptionWish.keyName), context: "", bucketKey: wanted.isBucketKeyEnabled
                ))
        }
    }

    /// The key of the object that the request reads; throws what AWS does when the request brings none, a wrong one, or
    /// one that the object does not need.
    func openEncryption(_ object: ObjectRecord, _ call: S3Call) async throws -> ContentEncryption? {
        try EncryptionWish.refuse(call.request.headers)
        return try await encryptionKeys.open(object.encryption, try CustomerKey(call.request.headers))
    }

    /// The same for a part of an upload: with a client's key each part brings the one that the upload was begun with.
    func openEncryption(_ upload: UploadRecord, _ call: S3Call) async throws -> ContentEncryption? {
        try EncryptionWish.refuse(call.request.headers)
        let customer = try CustomerKey(call.request.headers)
        let isCustomers = upload.encryption?.mode == .encryptionSseC
        guard isCustomers == (customer != nil) else {
            throw S3Error(
                .invalidRequest,
                isCustomers
                    ? "The multipart upload initiate requested encryption. Subsequent part requests must include the "
                        + "appropriate encryption parameters."
                    : "The multipart upload initiate did not request encryption with a key of the client.")
        }
        do {
            return try await encryptionKeys.open(upload.encryption, customer)
        } catch  where error.code == .accessDenied {
            throw S3Error(
                .invalidRequest, "The provided encryption parameters did not match the ones used originally.")
        }
    }

    /// Content of an object, decrypted where it must be.
    ///
    /// - Parameters:
    ///   - range: of the content.
    ///   - beside: what stands beside the object's register, if any.
    func content(
        of object: ObjectRecord, _ encryption: ContentEncryption?, range: Range<UInt64>, beside: ByteBuffer?,
        context: MessageContext
    ) throws -> any ContentReading {
        guard let encryption else {
            return ContentStream(storage, object.blobs, range: range, beside: beside, context: context)
        }
        return try DecryptingStream(
            storage, object.blobs, encryption, range: range, beside: beside, context: context)
    }
}
