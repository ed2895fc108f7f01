/// The conditional headers of a request, and their evaluation in the order that RFC 9110 section 13.2.2 demands.
public struct Preconditions: Sendable, Equatable {
    public var ifMatch: String?
    public var ifNoneMatch: String?
    /// Seconds since 1970. A date that cannot be read is no condition.
    public var ifModifiedSince: Int64?
    public var ifUnmodifiedSince: Int64?

    public init(
        ifMatch: String? = nil, ifNoneMatch: String? = nil, ifModifiedSince: String? = nil,
        ifUnmodifiedSince: String? = nil
    ) {
        self.ifMatch = ifMatch
        self.ifNoneMatch = ifNoneMatch
        self.ifModifiedSince = ifModifiedSince.flatMap(HTTPDate.parse)
        self.ifUnmodifiedSince = ifUnmodifiedSince.flatMap(HTTPDate.parse)
    }

    public enum Outcome: Sendable, Equatable {
        case proceed
        /// 304 for a read, 412 for a copy.
        case notModified
        /// 412. Names the header that failed.
        case failed(String)
    }

    /// For reading a present object.
    public func evaluate(etag: String, modified: Int64) -> Outcome {
        if let ifMatch {
            if !ETag.list(ifMatch, contains: etag) { return .failed("If-Match") }
        } else if let ifUnmodifiedSince, modified > ifUnmodifiedSince {
            return .failed("If-Unmodified-Since")
        }
        if let ifNoneMatch {
            if ETag.list(ifNoneMatch, contains: etag) { return .notModified }
        } else if let ifModifiedSince, modified <= ifModifiedSince {
            return .notModified
        }
        return .proceed
    }

    public var isEmpty: Bool {
        ifMatch == nil && ifNoneMatch == nil && ifModifiedSince == nil && ifUnmodifiedSince == nil
    }
}

/// The condition of a write: what must be true of the object that stands under the key.
public enum WriteCondition: Sendable, Equatable {
    case none
    /// If-None-Match: `*`.
    case absent
    /// If-Match with an entity tag.
    case matches(String)

    /// From the headers of a PUT or CompleteMultipartUpload; S3 knows only these two forms.
    public init(ifMatch: String?, ifNoneMatch: String?) throws(S3Error) {
        switch (ifMatch?.trimmed, ifNoneMatch?.trimmed) {
        case (nil, nil): self = .none
        case (nil, "*"): self = .absent
        case (let etag?, nil): self = .matches(ETag.unquoted(etag))
        default: throw S3Error(.notImplemented)
        }
    }

    /// Judges the decided state of the key: entity tag of the present object, nil when there is none.
    public func check(etag present: String?) throws(S3Error) {
        switch self {
        case .none: return
        case .absent:
            guard present == nil else { throw Self.failed("If-None-Match") }
        case .matches(let etag):
            guard let present else { throw S3Error(.noSuchKey) }
            guard etag == "*" || etag == present else { throw Self.failed("If-Match") }
        }
    }

    private static func failed(_ header: String) -> S3Error {
        S3Error(.preconditionFailed, fields: [.init("Condition", header)])
    }
}

/// The condition of a delete: what must be true of the version that is to go.
public struct DeleteCondition: Sendable, Equatable {
    /// Without quotes; `*`: any.
    public var etag: String?
    /// Seconds since 1970.
    public var modified: Int64?
    public var size: UInt64?

    public init() {}

    /// From headers or from a document. Throws `InvalidArgument` for a date or size that cannot be read.
    public init(etag: String?, modified: String?, size: String?) throws(S3Error) {
        self.etag = etag.map(ETag.unquoted)
        if let modified {
            guard let seconds = HTTPDate.parse(modified) ?? HTTPDate.parseISO8601(modified).map({ $0 / 1000 }) else {
                throw S3Error.invalidArgument("The date is not valid", name: "LastModifiedTime", value: modified)
            }
            self.modified = seconds
        }
        if let size {
            guard let bytes = UInt64(size) else {
                throw S3Error.invalidArgument("The size is not valid", name: "Size", value: size)
            }
            self.size = bytes
        }
    }

    /// Judges the version that is there; nil: there is none, which only a condition on its entity tag minds.
    public func check(_ present: (etag: String, modified: Int64, size: UInt64)?) throws(S3Error) {
        guard let present else {
            guard etag == nil else { throw S3Error(.noSuchKey) }
            return
        }
        if let etag, etag != "*", etag != present.etag { throw Self.failed("If-Match") }
        if let modified, modified != present.modified { throw Self.failed("x-amz-if-match-last-modified-time") }
        if let size, size != present.size { throw Self.failed("x-amz-if-match-size") }
    }

    private static func failed(_ header: String) -> S3Error {
        S3Error(.preconditionFailed, fields: [.init("Condition", header)])
    }
}
