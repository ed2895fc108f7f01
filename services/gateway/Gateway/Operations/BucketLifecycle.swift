import Model
import NIOHTTP1
import ObjectAccess
import S3Protocol
import Synchronization
import Wire

/// GetBucketLifecycleConfiguration, PutBucketLifecycleConfiguration, DeleteBucketLifecycle. The rules are carried out by
/// the repair process.
extension S3Operations {
    static let lifecycleTable: [S3Operation: Operation] = [
        .getBucketLifecycleConfiguration: get(bucketLifecycle),
        .putBucketLifecycleConfiguration: put(bucketLifecycle),
        .deleteBucketLifecycle: delete(bucketLifecycle),
    ]

    private static let bucketLifecycle = BucketConfiguration(
        name: "lifecycle", absence: .error(.noSuchLifecycleConfiguration)
    ) { body, _, _ in try LifecycleConfiguration.completed(body) }

    /// Says when a rule of the bucket will remove the object.
    func addExpiration(of object: ObjectRecord, _ call: S3Call, to headers: inout HTTPHeaders) {
        guard let document = call.bucket.document("lifecycle"), let configuration = lifecycles.parsed(document),
            let (rule, time) = configuration.expiration(
                key: call.object.key, size: object.size, modifiedMilliseconds: object.modifiedMilliseconds,
                lifecycles.clock, tags: { object.tagValues })
        else { return }
        let date = HTTPDate.format(time / 1000)
        headers.add(
            name: "x-amz-expiration", value: "expiry-date=\"\(date)\", rule-id=\"\(PercentEncoding.encode(rule.id))\"")
    }
}

/// Lifecycles of buckets as they were read last: a request does not parse them anew.
final class LifecycleCache: Sendable {
    private static let countMax = 256

    let clock: LifecycleClock
    private let known = Mutex<[[UInt8]: LifecycleConfiguration]>([:])

    init(_ clock: LifecycleClock) { self.clock = clock }

    /// nil: not a configuration.
    func parsed(_ document: [UInt8]) -> LifecycleConfiguration? {
        if let configuration = known.withLock({ $0[document] }) { return configuration }
        guard let configuration = try? LifecycleConfiguration(parsing: document) else { return nil }
        known.withLock { known in
            if known.count >= Self.countMax { known.removeAll() }
            known[document] = configuration
        }
        return configuration
    }
}
