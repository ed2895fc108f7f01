import Model

/// The tags of a bucket or object: a body of `Tagging`.
public struct TagSet: Sendable, Equatable {
    public struct Tag: Sendable, Equatable {
        public var key: String
        public var value: String

        public init(_ key: String, _ value: String) {
            self.key = key
            self.value = value
        }
    }

    /// S3's limits: characters are counted as UTF-16 does.
    public static let keySizeMax = 128
    public static let valueSizeMax = 256
    public static let bucketTagsMax = 50
    public static let objectTagsMax = 10

    public var tags: [Tag] = []

    public init(_ tags: [Tag] = []) { self.tags = tags }

    /// Throws `MalformedXML`, or `InvalidTag` for tags that S3 does not allow.
    public init(parsing bytes: [UInt8], countMax: Int) throws(S3Error) {
        guard !bytes.isEmpty else { throw S3Error(.missingRequestBody) }
        let root = try XMLReader.parse(bytes, sizeMax: Limits.xmlBodySizeMax)
        guard root.name == "Tagging", let set = root.child("TagSet") else { throw S3Error(.malformedXML) }
        for element in set.children {
            guard element.name == "Tag", let key = element.child("Key")?.text, let value = element.child("Value")?.text
            else { throw S3Error(.malformedXML) }
            tags.append(Tag(key, value))
        }
        try check(countMax: countMax)
    }

    /// Throws unless S3 allows these tags.
    public func check(countMax: Int) throws(S3Error) {
        guard tags.count <= countMax else {
            throw S3Error(.invalidTag, "Tag count exceeds the limit of \(countMax)")
        }
        var keys: Set<[UInt8]> = []
        for tag in tags {
            guard (1...Self.keySizeMax).contains(tag.key.utf16.count) else {
                throw S3Error(
                    .invalidTag, "The TagKey you have provided is invalid", fields: [.init("TagKey", tag.key)])
            }
            guard tag.value.utf16.count <= Self.valueSizeMax else {
                throw S3Error(
                    .invalidTag, "The TagValue you have provided is invalid", fields: [.init("TagValue", tag.value)])
            }
            guard !tag.key.lowercased().hasPrefix("aws:") else {
                throw S3Error(
                    .invalidTag, "System tags cannot be added/updated by requester", fields: [.init("TagKey", tag.key)])
            }
            guard keys.insert(Array(tag.key.utf8)).inserted else {
                throw S3Error(
                    .invalidTag, "Cannot provide multiple Tags with the same key", fields: [.init("TagKey", tag.key)])
            }
            guard Self.allowed(tag.key), Self.allowed(tag.value) else {
                throw S3Error(.invalidTag, "The TagValue you have provided is invalid")
            }
        }
    }

    /// Letters, digits and spaces of any script, and `+ - = . _ : / @`.
    private static func allowed(_ text: String) -> Bool {
        text.unicodeScalars.allSatisfy { scalar in
            scalar.properties.isAlphabetic || scalar.properties.numericType != nil || scalar.properties.isWhitespace
                || "+-=._:/@".unicodeScalars.contains(scalar) || scalar.properties.generalCategory == .nonspacingMark
        }
    }
}
