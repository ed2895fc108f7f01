import ClusterState
import Model
import S3Protocol
import Wire

/// GetBucketNotificationConfiguration and PutBucketNotificationConfiguration, and what tells webhooks.
extension S3Operations {
    static let notificationTable: [S3Operation: Operation] = [
        .getBucketNotificationConfiguration: get(bucketNotification),
        .putBucketNotificationConfiguration: { $0.putBucketNotification },
    ]

    private static let bucketNotification = BucketConfiguration(
        name: Notifier.documentName, absence: .document("NotificationConfiguration")
    ) { body, _, _ in body }

    func putBucketNotification(_ call: S3Call) async throws -> S3Response {
        let body = try await call.request.body.collect(upTo: Limits.xmlBodySizeMax)
        let configuration = try NotificationConfiguration(parsing: Array(body.readableBytesView)) {
            OperationID.random().description
        }
        for rule in configuration.rules {
            guard let webhook = rule.webhook, notifier != nil, await buckets.isWebhook(webhook) else {
                throw S3Error(
                    .invalidArgument, "Unable to validate the following destination configurations",
                    fields: [
                        .init("ArgumentName", rule.arn),
                        .init("ArgumentValue", "The destination does not exist"),
                    ])
            }
        }
        let document = BucketDocument(
            name: Notifier.documentName, content: configuration.rules.isEmpty ? [] : configuration.xml)
        try await set([document], call)
        await notifier?.test(configuration, call, nowMilliseconds: clock())
        return S3Response()
    }

    /// Returns when the event is in the queues of those who want it.
    func publish(
        _ type: ObjectEventType, _ key: [UInt8], _ object: ObjectRecord, version: String?, sequence: UInt64,
        _ call: S3Call
    ) async {
        await notifier?.publish(
            ObjectEvent(
                type: type, key: key, size: object.size, etag: object.shownETag, version: version, sequence: sequence),
            call,
            nowMilliseconds: clock())
    }
}

extension EventOrigin {
    init(_ call: S3Call, nowMilliseconds: Int64) {
        self.init(
            bucket: call.bucket.name, owner: call.bucket.owner, region: call.bucket.location,
            principal: call.request.identity.userID ?? "Anonymous", address: call.request.remote,
            requestID: call.request.id, milliseconds: nowMilliseconds)
    }
}
