import Model

/// Body of CreateBucket.
public struct CreateBucketDocument: Sendable, Equatable {
    /// nil when the client named none.
    public var location: String?

    /// An empty body asks for the default.
    public init(parsing bytes: [UInt8]) throws(S3Error) {
        guard !bytes.isEmpty else { return }
        let root = try XMLReader.parse(bytes, sizeMax: Limits.xmlBodySizeMax)
        guard root.name == "CreateBucketConfiguration" else { throw S3Error(.malformedXML) }
        location = root.value("LocationConstraint").flatMap { $0.isEmpty ? nil : $0 }
    }
}

/// Body of DeleteObjects.
public struct DeleteDocument: Sendable, Equatable {
    public struct Target: Sendable, Equatable {
        public var key: String
        public var versionID: String?
        public var condition = DeleteCondition()
    }

    public static let targetsMax = 1000
    public var quiet = false
    public var targets: [Target] = []

    public init(parsing bytes: [UInt8]) throws(S3Error) {
        guard !bytes.isEmpty else { throw S3Error(.missingRequestBody) }
        let root = try XMLReader.parse(bytes, sizeMax: Limits.xmlBodySizeMax)
        guard root.name == "Delete" else { throw S3Error(.malformedXML) }
        quiet = root.value("Quiet")?.lowercased() == "true"
        for object in root.children("Object") {
            // A key is taken as it is: white space belongs to it.
            guard let key = object.child("Key")?.text, !key.isEmpty else { throw S3Error(.malformedXML) }
            let condition = try DeleteCondition(
                etag: object.value("ETag"), modified: object.value("LastModifiedTime"), size: object.value("Size"))
            targets.append(Target(key: key, versionID: object.value("VersionId"), condition: condition))
        }
        guard (1...Self.targetsMax).contains(targets.count) else { throw S3Error(.malformedXML) }
    }
}

/// Body of CompleteMultipartUpload.
public struct CompleteUploadDocument: Sendable, Equatable {
    public struct Part: Sendable, Equatable {
        public var number: Int
        /// Without quotes.
        public var etag: String
        /// Algorithm to base64.
        public var checksums: [ChecksumAlgorithm: String] = [:]
    }

    public var parts: [Part] = []

    /// The order of numbers is checked here, existence and entity tags where the parts are known.
    public init(parsing bytes: [UInt8]) throws(S3Error) {
        guard !bytes.isEmpty else { throw S3Error(.missingRequestBody) }
        let root = try XMLReader.parse(bytes, sizeMax: Limits.xmlBodySizeMax)
        guard root.name == "CompleteMultipartUpload" else { throw S3Error(.malformedXML) }
        for element in root.children("Part") {
            guard let text = element.value("PartNumber"), let number = Int(text),
                let etag = element.value("ETag"), !etag.isEmpty
            else { throw S3Error(.malformedXML) }
            guard (1...Limits.partNumberMax).contains(number) else {
                throw S3Error.invalidArgument(
                    "PartNumber must be between 1 and \(Limits.partNumberMax)", name: "partNumber", value: text)
            }
            var part = Part(number: number, etag: ETag.unquoted(etag))
            for algorithm in ChecksumAlgorithm.allCases {
                part.checksums[algorithm] = element.value(algorithm.elementName)
            }
            parts.append(part)
        }
        guard (1...Limits.partNumberMax).contains(parts.count) else { throw S3Error(.malformedXML) }
        for (before, after) in zip(parts, parts.dropFirst()) where before.number >= after.number {
            throw S3Error(.invalidPartOrder)
        }
    }
}
