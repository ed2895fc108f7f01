import Model
import S3Protocol

/// Where the access logs of a bucket go: a body of `BucketLoggingStatus`.
struct BucketLogging: Sendable, Hashable {
    var target: String
    var prefix: String

    static let documentName = "logging"
    private static let prefixSizeMax = 800

    /// nil: nothing is logged.
    static func parse(_ bytes: [UInt8]) throws(S3Error) -> BucketLogging? {
        let root = try XMLReader.parse(bytes, sizeMax: Limits.xmlBodySizeMax)
        guard root.name == "BucketLoggingStatus", root.children.count <= 1 else { throw S3Error(.malformedXML) }
        guard let enabled = root.children.first else { return nil }
        guard enabled.name == "LoggingEnabled", let target = enabled.value("TargetBucket"),
            let prefix = enabled.child("TargetPrefix")?.text
        else { throw S3Error(.malformedXML) }
        guard enabled.child("TargetGrants")?.children.isEmpty ?? true else {
            throw S3Error(
                .notImplemented, "Grants on log objects are not supported; use a policy of the target bucket.")
        }
        if let format = enabled.child("TargetObjectKeyFormat"), format.child("SimplePrefix") == nil {
            throw S3Error(.notImplemented, "Log objects are named by a simple prefix only.")
        }
        guard prefix.utf8.count <= prefixSizeMax else {
            throw S3Error(.invalidArgument, "A prefix of log objects has up to \(prefixSizeMax) bytes.")
        }
        return BucketLogging(target: target, prefix: prefix)
    }
}
