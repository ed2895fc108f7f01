import Model
import NIOHTTP1
import S3Protocol
import Wire

/// Request payment, accelerate and logging of buckets.
extension S3Operations {
    static let bucketExtrasTable: [S3Operation: Operation] = [
        .getBucketRequestPayment: get(requestPayment), .putBucketRequestPayment: put(requestPayment),
        .getBucketAccelerateConfiguration: get(accelerate), .putBucketAccelerateConfiguration: put(accelerate),
        .getBucketLogging: get(logging), .putBucketLogging: put(logging),
        .getBucketNotificationConfiguration: get(notification), .putBucketNotificationConfiguration: put(notification),
    ]

    private static let requestPayment = BucketConfiguration(
        name: "requestPayment", absence: .document("RequestPaymentConfiguration", [("Payer", "BucketOwner")])
    ) { body, _, _ in
        try RequestPayment(parsing: body) == .bucketOwner ? nil : body
    }

    /// Kept and shown, as there is nothing to accelerate: every gateway is as near as any other.
    private static let accelerate = BucketConfiguration(
        name: "accelerate", absence: .document("AccelerateConfiguration")
    ) { body, call, _ in
        _ = try AccelerateStatus(parsing: body)
        guard !call.bucket.name.contains(".") else {
            throw S3Error(
                .invalidRequest,
                "S3 Transfer Acceleration is not supported for buckets with periods (.) in their names")
        }
        return body
    }

    /// Nobody delivers logs into buckets, so nobody is told that they will come: the gateways' access log has them.
    private static let logging = BucketConfiguration(name: "logging", absence: .document("BucketLoggingStatus")) {
        body, _, _ in
        let root = try XMLReader.parse(body, sizeMax: Limits.xmlBodySizeMax)
        guard root.name == "BucketLoggingStatus" else { throw S3Error(.malformedXML) }
        guard root.children.isEmpty else {
            throw S3Error(.notImplemented, "Logs are not delivered into buckets; see the access log of the gateways.")
        }
        return nil
    }

    private static let notification = BucketConfiguration(
        name: "notification", absence: .document("NotificationConfiguration")
    ) { body, _, _ in
        let root = try XMLReader.parse(body, sizeMax: Limits.xmlBodySizeMax)
        guard root.name == "NotificationConfiguration" else { throw S3Error(.malformedXML) }
        guard root.children.isEmpty else {
            throw S3Error(.notImplemented, "Events of buckets are not sent anywhere.")
        }
        return nil
    }
}
