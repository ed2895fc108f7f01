import Model

/// Headers that are stored with an object and given back with it.
public enum ContentHeaders {
    /// Lower case. `content-encoding` loses `aws-chunked`, which describes the transfer, not the content.
    public static let stored = [
        "cache-control", "content-disposition", "content-encoding", "content-language", "content-type", "expires",
    ]
    public static let metadataPrefix = "x-amz-meta-"
    public static let contentTypeDefault = "binary/octet-stream"

    /// Queries that replace a header in the answer, and the header.
    public static let overrides: [(query: String, header: String)] = stored.map { ("response-" + $0, $0) }

    /// The stored value of a header; nil when nothing of it is to be stored.
    public static func storedValue(name: String, value: String) -> String? {
        guard name == "content-encoding" else { return value }
        let codings = value.split(separator: ",").map { String($0).trimmed }.filter { $0 != "aws-chunked" && $0 != "" }
        return codings.isEmpty ? nil : codings.joined(separator: ",")
    }

    /// S3's limit: 2 KiB of names and values together.
    public static func checkMetadata(_ fields: [(name: String, value: String)]) throws(S3Error) {
        let size = fields.reduce(0) { $0 + $1.name.utf8.count + $1.value.utf8.count }
        guard size <= Limits.metadataSizeMax else {
            throw S3Error(
                .metadataTooLarge,
                fields: [.init("Size", String(size)), .init("MaxSizeAllowed", String(Limits.metadataSizeMax))])
        }
    }
}
