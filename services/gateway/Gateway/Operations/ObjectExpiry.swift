import ObjectAccess
import Wire

/// Objects that go at a time of their own (Swift's X-Delete-At).
extension S3Operations {
    /// Tells repair to look through the bucket, before the first object that is to go is in it: without that word a bucket is
    /// never walked through.
    func noteExpiry(of object: ObjectRecord, _ call: S3Call) async throws {
        guard object.deleteAtSeconds > 0 else { return }
        let present = buckets.known(call.bucket.name) ?? call.bucket
        guard present.document(BucketRecord.expiringName) == nil else { return }
        try await set([.init(name: BucketRecord.expiringName, content: Array("1".utf8))], call)
    }
}
