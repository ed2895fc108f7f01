import Model
import NIOHTTP1
import S3Protocol
import Wire

/// Request payment and accelerate of buckets.
extension S3Operations {
    static let bucketExtrasTable: [S3Operation: Operation] = [
        .getBucketRequestPayment: get(requestPayment), .putBucketRequestPayment: put(requestPayment),
        .getBucketAccelerateConfiguration: get(accelerate), .putBucketAccelerateConfiguration: put(accelerate),
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
}
