/// The Range header of a request.
public enum ByteRange: Sendable, Equatable {
    /// `bytes=a-b`, both inclusive.
    case bounded(first: UInt64, last: UInt64)
    /// `bytes=a-`.
    case from(UInt64)
    /// `bytes=-n`: the last n bytes.
    case suffix(UInt64)

    /// nil when the header is not one range of bytes: as RFC 9110 demands, and as AWS does with several ranges, such a
    /// header is ignored.
    public init?(header: String) {
        let text = header.trimmed
        guard text.lowercased().hasPrefix("bytes=") else { return nil }
        let bounds = text.dropFirst(6).split(separator: "-", maxSplits: 1, omittingEmptySubsequences: false)
            .map { String($0).trimmed }
        guard bounds.count == 2, bounds.allSatisfy({ $0.utf8.allSatisfy { (48...57).contains($0) } }) else {
            return nil
        }
        switch (UInt64(bounds[0]), UInt64(bounds[1])) {
        case (let first?, let last?) where first <= last: self = .bounded(first: first, last: last)
        case (let first?, nil) where bounds[1].isEmpty: self = .from(first)
        case (nil, let count?) where bounds[0].isEmpty: self = .suffix(count)
        default: return nil
        }
    }

    /// The bytes of content of this size, cut at its end; nil when there are none (416).
    public func resolved(size: UInt64) -> Range<UInt64>? {
        switch self {
        case .bounded(let first, let last): first < size ? first..<(min(last, size - 1) + 1) : nil
        case .from(let first): first < size ? first..<size : nil
        case .suffix(let count): count > 0 && size > 0 ? (size - min(count, size))..<size : nil
        }
    }

    /// The header `x-amz-copy-source-range`: only `bytes=a-b`, and all of it within the source.
    public static func copySource(header: String, size: UInt64) throws(S3Error) -> Range<UInt64> {
        guard case .bounded(let first, let last)? = ByteRange(header: header) else {
            throw S3Error.invalidArgument(
                "The x-amz-copy-source-range value must be of the form bytes=first-last where first and last are the "
                    + "zero-based offsets of the first and last bytes to copy",
                name: "x-amz-copy-source-range", value: header)
        }
        guard last < size else {
            throw S3Error.invalidArgument(
                "Range specified is not valid for source object of size: \(size)",
                name: "x-amz-copy-source-range", value: header)
        }
        return first..<(last + 1)
    }
}
