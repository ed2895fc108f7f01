import Model

/// Who owns what others write into a bucket, and whether access control lists count: a body of `OwnershipControls`.
public enum ObjectOwnership: String, Sendable {
    /// Access control lists are off: everything belongs to the bucket's owner.
    case bucketOwnerEnforced = "BucketOwnerEnforced"
    /// What comes with the canned list `bucket-owner-full-control` belongs to the bucket's owner.
    case bucketOwnerPreferred = "BucketOwnerPreferred"
    case objectWriter = "ObjectWriter"

    public init(parsing bytes: [UInt8]) throws(S3Error) {
        let root = try XMLReader.parse(bytes, sizeMax: Limits.xmlBodySizeMax)
        let rules = root.children("Rule")
        guard root.name == "OwnershipControls", rules.count == 1, root.children.count == 1,
            let value = rules[0].value("ObjectOwnership").flatMap(Self.init(rawValue:))
        else { throw S3Error(.malformedXML) }
        self = value
    }

    /// The document that says this.
    public func xml() -> [UInt8] {
        var writer = XMLWriter()
        writer.element("OwnershipControls", namespace: XMLWriter.s3Namespace) { controls in
            controls.element("Rule") { $0.element("ObjectOwnership", rawValue) }
        }
        return writer.bytes
    }
}

/// What may not make a bucket public: a body of `PublicAccessBlockConfiguration`.
public struct PublicAccessBlock: Sendable, Equatable {
    /// Public access control lists cannot be set.
    public var blockPublicAcls = false
    /// Those that are set do not count.
    public var ignorePublicAcls = false
    /// A public policy cannot be set.
    public var blockPublicPolicy = false
    /// One that is set opens nothing to others.
    public var restrictPublicBuckets = false

    public init() {}

    public init(parsing bytes: [UInt8]) throws(S3Error) {
        let root = try XMLReader.parse(bytes, sizeMax: Limits.xmlBodySizeMax)
        guard root.name == "PublicAccessBlockConfiguration" else { throw S3Error(.malformedXML) }
        for element in root.children {
            guard let flag = root.flag(element.name) else { throw S3Error(.malformedXML) }
            switch element.name {
            case "BlockPublicAcls": blockPublicAcls = flag
            case "IgnorePublicAcls": ignorePublicAcls = flag
            case "BlockPublicPolicy": blockPublicPolicy = flag
            case "RestrictPublicBuckets": restrictPublicBuckets = flag
            default: throw S3Error(.malformedXML)
            }
        }
    }

    /// All four, whatever was said and what was left out.
    public func xml() -> [UInt8] {
        var writer = XMLWriter()
        writer.element("PublicAccessBlockConfiguration", namespace: XMLWriter.s3Namespace) { block in
            block.element("BlockPublicAcls", blockPublicAcls)
            block.element("IgnorePublicAcls", ignorePublicAcls)
            block.element("BlockPublicPolicy", blockPublicPolicy)
            block.element("RestrictPublicBuckets", restrictPublicBuckets)
        }
        return writer.bytes
    }
}

extension XMLNode {
    /// A child that says `true` or `false`, in any case; nil for anything else.
    public func flag(_ name: String) -> Bool? {
        switch value(name)?.lowercased() {
        case "true": true
        case "false": false
        default: nil
        }
    }
}
