import Foundation

/// The value of `x-amz-copy-source`: `/bucket/key`, percent-encoded, the first slash optional.
public struct CopySource: Sendable, Equatable {
    public var bucket: String
    public var key: String
    public var versionID: String?

    public init(header: String) throws(S3Error) {
        var path = header[...]
        if let query = path.range(of: "?versionId=") {
            versionID = String(path[query.upperBound...])
            path = path[..<query.lowerBound]
        }
        guard var name = PercentEncoding.decode(path) else { throw Self.malformed(header) }
        if name.hasPrefix("/") { name.removeFirst() }
        guard let slash = name.firstIndex(of: "/") else { throw Self.malformed(header) }
        bucket = String(name[..<slash])
        key = String(name[name.index(after: slash)...])
        guard !bucket.isEmpty, !key.isEmpty else { throw Self.malformed(header) }
    }

    private static func malformed(_ header: String) -> S3Error {
        S3Error.invalidArgument(
            "Copy Source must mention the source bucket and key: sourcebucket/sourcekey", name: "x-amz-copy-source",
            value: header)
    }
}
