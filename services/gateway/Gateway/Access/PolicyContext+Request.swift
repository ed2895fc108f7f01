import NIOHTTP1
import S3Protocol
import Wire

extension PolicyContext {
    /// - Parameter now: milliseconds since 1970.
    init(_ request: S3Request, bucketOwner: String, now: Int64) {
        self.init(existingTags: nil)
        setRequester(request.identity)
        setConnection(request)
        self["aws:CurrentTime"] = [HTTPDate.iso8601(milliseconds: now)]
        self["aws:EpochTime"] = [String(now / 1000)]
        self["s3:ResourceAccount"] = [bucketOwner]
        setQuery(request)
        setHeaders(request.headers)
        setRequestTags(request)
    }

    private mutating func setRequester(_ identity: Identity) {
        guard let user = identity.userID else { return self["aws:PrincipalType"] = ["Anonymous"] }
        self["aws:PrincipalType"] = ["User"]
        self["aws:username"] = [user]
        self["aws:userid"] = [user]
        self["aws:PrincipalAccount"] = [user]
        self["aws:PrincipalArn"] = ["arn:aws:iam::\(user):user/\(user)"]
    }

    private mutating func setConnection(_ request: S3Request) {
        if !request.remote.isEmpty { self["aws:SourceIp"] = [request.remote] }
        self["aws:SecureTransport"] = [request.isSecure ? "true" : "false"]
        self["aws:UserAgent"] = request.headers.first(name: "user-agent").map { [$0] }
        self["aws:Referer"] = request.headers.first(name: "referer").map { [$0] }
        guard request.identity != .anonymous else { return }
        let authorization = request.headers.first(name: "authorization")
        let isV2 = authorization?.hasPrefix("AWS ") ?? request.query.contains("AWSAccessKeyId")
        self["s3:signatureversion"] = [isV2 ? "AWS" : "AWS4-HMAC-SHA256"]
        self["s3:authType"] = [
            request.operation == .postObject ? "POST" : authorization == nil ? "REST-QUERY-STRING" : "REST-HEADER"
        ]
    }

    private mutating func setQuery(_ request: S3Request) {
        for name in ["prefix", "delimiter", "max-keys"] { self["s3:\(name)"] = request.query[name].map { [$0] } }
        self["s3:VersionId"] = request.query["versionId"].map { [$0] }
    }

    /// Headers that are condition keys under their own name.
    private static let headers = [
        "x-amz-acl", "x-amz-content-sha256", "x-amz-copy-source", "x-amz-grant-full-control", "x-amz-grant-read",
        "x-amz-grant-read-acp", "x-amz-grant-write", "x-amz-grant-write-acp", "x-amz-metadata-directive",
        "x-amz-object-ownership", "x-amz-server-side-encryption", "x-amz-server-side-encryption-aws-kms-key-id",
        "x-amz-server-side-encryption-customer-algorithm", "x-amz-storage-class", "x-amz-website-redirect-location",
        "if-match", "if-none-match",
    ]

    private mutating func setHeaders(_ headers: HTTPHeaders) {
        for name in Self.headers { self["s3:\(name)"] = headers.first(name: name).map { [$0] } }
        self["s3:object-lock-mode"] = headers.first(name: "x-amz-object-lock-mode").map { [$0] }
        self["s3:object-lock-retain-until-date"] =
            headers.first(name: "x-amz-object-lock-retain-until-date").map { [$0] }
        self["s3:object-lock-legal-hold"] = headers.first(name: "x-amz-object-lock-legal-hold").map { [$0] }
    }

    private mutating func setRequestTags(_ request: S3Request) {
        lacksRequestTags = request.operation == .putObjectTagging && request.tags == nil
        let header = request.headers.first(name: "x-amz-tagging")
        guard let tags = request.tags ?? header.flatMap({ try? TagSet(header: $0) }) else { return }
        for tag in tags.tags { self["s3:RequestObjectTag/\(tag.key)"] = [tag.value] }
        self["s3:RequestObjectTagKeys"] = tags.tags.map(\.key)
    }
}
