/// The condition keys of one request with their values.
struct PolicyContext: Sendable {
    private var values: [String: [String]] = [:]
    /// Tags of the object that the request is about; nil: not known yet.
    var existingTags: [String: String]?
    /// The tags that the request brings are in its body, which has not been read yet.
    var lacksRequestTags = false

    static let existingTagPrefix = "s3:existingobjecttag/"
    /// Also of the key that has the names of all.
    private static let requestTagPrefix = "s3:requestobjecttag"
    private static let tagPrefixes = [
        existingTagPrefix, "s3:requestobjecttag/", "aws:requesttag/", "aws:resourcetag/", "aws:principaltag/",
    ]

    init(existingTags: [String: String]? = [:]) { self.existingTags = existingTags }

    /// Keys are compared without case; what follows the slash of a tag's key is the tag's own.
    static func normalized(_ key: String) -> String {
        let lower = key.lowercased()
        guard let prefix = tagPrefixes.first(where: lower.hasPrefix) else { return lower }
        return prefix + key.dropFirst(prefix.count)
    }

    subscript(key: String) -> [String]? {
        get { values[Self.normalized(key)] }
        set { values[Self.normalized(key)] = newValue }
    }

    /// The values of a key: nil when the request has none. The outer optional: not known yet.
    func lookUp(_ key: String) -> [String]?? {
        let key = Self.normalized(key)
        if lacksRequestTags, key.hasPrefix(Self.requestTagPrefix) { return nil }
        guard key.hasPrefix(Self.existingTagPrefix) else { return .some(values[key]) }
        guard let existingTags else { return nil }
        return .some(existingTags[String(key.dropFirst(Self.existingTagPrefix.count))].map { [$0] })
    }

    /// For variables of patterns: only keys with one value have a text.
    func first(_ key: String) -> String? {
        guard case .some(.some(let values)) = lookUp(key), values.count == 1 else { return nil }
        return values[0]
    }
}
