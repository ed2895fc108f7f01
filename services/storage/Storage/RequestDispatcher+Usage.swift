import MessageBus
import Model
import Wire

extension RequestDispatcher {
    /// Buckets that one request may name.
    private static let bucketsMax = 10_000

    func fetchUsage(_ request: IncomingRequest, _ responder: Responder) throws {
        let message = try request.decoded(FetchUsageRequest.self)
        guard message.buckets.count <= Self.bucketsMax else { throw BusError(.tooLarge, "too many buckets at once") }
        let buckets = try message.buckets.map { bytes in
            guard let bucket = BucketID(bytes) else { throw BusError(.malformed, "a bucket's id") }
            return bucket
        }
        let usage = try engine.usage(of: buckets).map { bucket, totals in
            BucketUsage(bucket: bucket.bytes, objects: totals.objects, bytes: totals.bytes)
        }
        responder.reply(FetchUsageReply(usage: usage))
    }
}
