import Model
import ObjectAccess
import S3Protocol
import Wire

/// The one way from bytes to an object of this front.
extension SwiftOperations {
    /// Stores content and makes the object that of the call's name, after the one that was there has been kept where the
    /// container wants that.
    ///
    /// - Parameter describe: says in the record what the content is, when it is stored; may refuse it.
    func write(
        _ source: any ContentSource, expected: UInt64?, as object: inout ObjectRecord, _ call: SwiftCall,
        _ container: BucketRecord, condition: WriteCondition,
        describe: (inout ObjectRecord, WrittenContent) throws -> Void
    ) async throws {
        let target = try shared(call, container, key: call.object ?? [])
        try await keepPredecessor(call, container)
        object = try await store(
            source, expected: expected, sizeMax: Self.fileSizeMax, as: object, at: target, condition: condition,
            describe: describe)
    }

    /// Stores content as the bucket says (S3 may have asked for encryption) and makes the object that of its name.
    func store(
        _ source: any ContentSource, expected: UInt64?, sizeMax: UInt64, as object: ObjectRecord, at target: S3Call,
        condition: WriteCondition, describe: (inout ObjectRecord, WrittenContent) throws -> Void
    ) async throws -> ObjectRecord {
        let encryption = try await s3.newEncryption(target)
        let content = try await s3.writer(of: target.object, target, encryption).write(
            source, expected: expected, sizeMax: sizeMax, besideRegister: s3.keepsBesideRegister(target))
        var object = object
        object.encryption = encryption?.record
        object.blobs = content.blob.map { [$0] } ?? []
        try await s3.referring(to: content) {
            guard expected ?? content.size == content.size else {
                throw AccessError.damaged("content is shorter than its record says")
            }
            try describe(&object, content)
        }
        let written = try await s3.commit(object, target, content, condition: condition)
        usage.forget(target.bucketID)
        return written
    }
}
