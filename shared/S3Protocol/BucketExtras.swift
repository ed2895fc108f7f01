import Model

/// Who pays for requests to a bucket: a body of `RequestPaymentConfiguration`.
public enum RequestPayment: String, Sendable {
    case bucketOwner = "BucketOwner"
    case requester = "Requester"

    public init(parsing bytes: [UInt8]) throws(S3Error) {
        let root = try XMLReader.parse(bytes, sizeMax: Limits.xmlBodySizeMax)
        guard root.name == "RequestPaymentConfiguration",
            let payer = root.value("Payer").flatMap(Self.init(rawValue:))
        else { throw S3Error(.malformedXML) }
        self = payer
    }
}

/// A body of `AccelerateConfiguration`.
public enum AccelerateStatus: String, Sendable {
    case enabled = "Enabled"
    case suspended = "Suspended"

    public init(parsing bytes: [UInt8]) throws(S3Error) {
        let root = try XMLReader.parse(bytes, sizeMax: Limits.xmlBodySizeMax)
        guard root.name == "AccelerateConfiguration", let status = root.value("Status").flatMap(Self.init(rawValue:))
        else { throw S3Error(.malformedXML) }
        self = status
    }
}
