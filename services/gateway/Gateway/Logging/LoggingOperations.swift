import Checksums
import Model
import NIOCore
import NIOHTTP1
import ObjectAccess
import S3Protocol
import Wire

/// GetBucketLogging and PutBucketLogging, and the delivery of access logs into buckets.
extension S3Operations {
    static let loggingTable: [S3Operation: Operation] = [
        .getBucketLogging: get(bucketLogging), .putBucketLogging: put(bucketLogging),
    ]

    private static let bucketLogging = BucketConfiguration(
        name: BucketLogging.documentName, absence: .document("BucketLoggingStatus")
    ) { body, call, operations in
        guard let logging = try BucketLogging.parse(body) else { return nil }
        let target = try? await operations.buckets.find(logging.target)
        guard let target, target.owner == call.bucket.owner, target.isNamedForS3 else {
            throw S3Error(
                .invalidTargetBucketForLogging, fields: [.init("TargetBucket", logging.target)])
        }
        return body
    }

    /// Notes a request, if its bucket has its access logged.
    func log(
        _ request: S3Request, _ response: S3Response, errorCode: S3ErrorCode?, since start: ContinuousClock.Instant
    ) {
        guard let name = request.bucket, let bucket = buckets.known(name),
            let document = bucket.document(BucketLogging.documentName), let logging = logs.place(document)
        else { return }
        let entry = BucketLogEntry(
            request, response, bucket, errorCode: errorCode?.rawValue, time: clock(),
            milliseconds: Int((now() - start) / .milliseconds(1)))
        logs.append(entry.line, to: logging, owner: bucket.owner)
    }

    func noteRefusal(
        of request: S3Request, _ response: S3Response, _ code: S3ErrorCode, since start: ContinuousClock.Instant
    ) {
        log(request, response, errorCode: code, since: start)
    }

    /// Notes a request of the Swift front, if its container has its access logged.
    func log(
        _ request: SwiftRequest, _ response: S3Response, _ place: SwiftTrace.Place, user: String?,
        since start: ContinuousClock.Instant
    ) {
        guard let logging = place.container.document(BucketLogging.documentName).flatMap(logs.place) else { return }
        let entry = BucketLogEntry(
            request, response, place, user: user, time: clock(),
            milliseconds: Int((now() - start) / .milliseconds(1)))
        logs.append(entry.line, to: logging, owner: place.container.owner)
    }

    /// Writes what waits into its buckets, as objects of the owner. What cannot be written is lost.
    func deliverLogs() async {
        for batch in logs.take() {
            do {
                try await deliver(batch)
            } catch {
                logs.lost(batch)
                logger.info(
                    "an access log cannot be delivered",
                    metadata: ["bucket": "\(batch.place.target)", "error": "\(error)"])
            }
        }
    }

    private func deliver(_ batch: BucketLogs.Batch) async throws {
        let bucket = try await buckets.find(batch.place.target)
        guard let id = bucket.bucketID, bucket.owner == batch.owner else {
            throw S3Error(.invalidTargetBucketForLogging)
        }
        let request = S3Request(
            id: "log-delivery", method: .PUT, operation: .putObject, bucket: bucket.name,
            key: batch.place.prefix + Self.logName(at: clock()), headers: ["content-type": "text/plain"],
            identity: .user(UserRecord(id: batch.owner)), body: RequestBody(bytes: ByteBuffer(bytes: batch.lines)))
        let call = S3Call(
            request: request, bucket: bucket, bucketID: id, context: .init(requestID: request.id),
            rules: try rules(of: bucket), now: clock(), dependsOnObject: false)
        _ = try await putObject(call)
    }

    /// `2019-02-06-00-00-38-` and something that no other object has.
    private static func logName(at milliseconds: Int64) -> String {
        let text = HTTPDate.iso8601(milliseconds: milliseconds).prefix(19)
        let unique = randomBytes(8).map { byte in
            let digits = String(byte, radix: 16, uppercase: true)
            return digits.count == 1 ? "0" + digits : digits
        }.joined()
        return String(text.map { $0 == "T" || $0 == ":" ? "-" : $0 }) + "-" + unique
    }
}
