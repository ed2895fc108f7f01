import Model

/// How objects of a bucket are encrypted when their requests say nothing: a body of `ServerSideEncryptionConfiguration`.
public struct BucketEncryption: Sendable, Equatable {
    public enum Algorithm: String, Sendable {
        case aes256 = "AES256"
        case kms = "aws:kms"
    }

    public var algorithm: Algorithm
    /// Of SSE-KMS; nil: the default key.
    public var keyID: String?
    public var isBucketKeyEnabled: Bool

    public init(parsing bytes: [UInt8]) throws(S3Error) {
        guard !bytes.isEmpty else { throw S3Error(.missingRequestBody) }
        let root = try XMLReader.parse(bytes, sizeMax: Limits.xmlBodySizeMax)
        let rules = root.children("Rule")
        guard root.name == "ServerSideEncryptionConfiguration", rules.count == 1,
            let standard = rules[0].child("ApplyServerSideEncryptionByDefault"),
            let algorithm = standard.value("SSEAlgorithm").flatMap(Algorithm.init(rawValue:))
        else { throw S3Error(.malformedXML) }
        self.algorithm = algorithm
        keyID = standard.value("KMSMasterKeyID").flatMap { $0.isEmpty ? nil : $0 }
        isBucketKeyEnabled = rules[0].flag("BucketKeyEnabled") ?? false
        guard keyID == nil || algorithm == .kms else {
            throw S3Error.invalidArgument(
                "a KMSMasterKeyID is not applicable if the default sse algorithm is not aws:kms",
                name: "ApplyServerSideEncryptionByDefault", value: algorithm.rawValue)
        }
    }
}
