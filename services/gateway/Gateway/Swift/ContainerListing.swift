import MessageBus
import Model
import ObjectAccess
import Wire

/// Pages of a container's listing.
extension SwiftOperations {
    func listing(_ query: ListingQuery, of bucket: BucketID, _ call: SwiftCall) async throws -> [ListedObject] {
        guard query.limit > 0 else { return [] }
        if query.isReverse { return try await reversed(query, of: bucket, call) }
        return try await forward(query, of: bucket, after: Self.position(query.marker, query), call).entries
    }

    /// A marker that is a subdirectory of this listing: all that is below it has been seen.
    private static func position(_ marker: [UInt8], _ query: ListingQuery) -> ListPosition? {
        guard !marker.isEmpty else { return nil }
        let isSubdirectory = marker.starts(with: query.prefix) && query.subdirectory(of: marker) == marker
        return ListPosition(key: marker, isPrefix: isSubdirectory)
    }

    /// Entries behind a position, up to the query's upper bound and limit, and whether there are no more.
    private func forward(
        _ query: ListingQuery, of bucket: BucketID, after: ListPosition?, _ call: SwiftCall
    ) async throws -> (entries: [ListedObject], isEnd: Bool) {
        var entries: [ListedObject] = []
        var request = ListQuery(bucket: bucket, prefix: query.prefix, after: after, delimiter: query.delimiter)
        while entries.count < query.limit {
            request.limit = query.limit - entries.count
            let page = try await storage.list(request, context: call.context)
            for entry in page.entries {
                switch entry {
                case .key(let key, let summary, _):
                    guard query.isBelowUpperBound(key) else { return (entries, true) }
                    // The directory itself is no entry of it.
                    if key == query.path { continue }
                    entries.append(.object(key, try ListingSummary(decoding: summary)))
                case .commonPrefix(let prefix):
                    guard query.isBelowUpperBound(prefix) else { return (entries, true) }
                    if query.path == nil { entries.append(.subdirectory(prefix)) }
                }
            }
            guard page.truncated, let next = page.next else { return (entries, true) }
            request.after = next
        }
        return (entries, false)
    }

    // MARK: - Backwards

    /// The last entries before the upper bound, last first.
    ///
    /// Storage lists forwards only. So a place is searched, by halving the space of keys, behind which there are enough entries
    /// but not many more: the cost does not grow with the container.
    private func reversed(_ query: ListingQuery, of bucket: BucketID, _ call: SwiftCall) async throws -> [ListedObject]
    {
        var wide = query
        wide.limit = query.limit * 2
        var low = Self.position(query.lowerBound, query)
        var found = try await forward(wide, of: bucket, after: low, call)
        var space = KeySpace(
            low: later(query.lowerBound, query.prefix),
            high: query.upperBound.isEmpty ? KeySpace.successor(ofPrefix: query.prefix) : query.upperBound)
        while !found.isEnd, let middle = space.middle {
            let behind = try await forward(wide, of: bucket, after: ListPosition(key: middle), call)
            if behind.isEnd, behind.entries.count < query.limit {
                space.high = middle
            } else {
                (low, found) = (ListPosition(key: middle), behind)
                // Nothing is between the middle and the first entry behind it.
                space.low = later(middle, behind.entries.first?.name ?? middle)
            }
        }
        while !found.isEnd {
            // The space cannot be halved any more: go on from here, and keep the end.
            let last = found.entries.last?.name ?? low?.key ?? []
            let more = try await forward(wide, of: bucket, after: Self.position(last, query), call)
            found = (Array((found.entries + more.entries).suffix(wide.limit)), more.isEnd)
        }
        return found.entries.suffix(query.limit).reversed()
    }
}

/// A part of the space of keys, to be halved.
struct KeySpace: Sendable, Equatable {
    /// Longer than any key.
    private static let bytesMax = Limits.keySizeMax + 8

    /// Keys are greater than this…
    var low: [UInt8]
    /// … and smaller than this; nil: no bound.
    var high: [UInt8]?

    /// A key between the two; nil when there is none that could tell two keys apart.
    var middle: [UInt8]? {
        // Both as fractions of 256: their sum, halved.
        let count = Swift.min(Self.bytesMax, Swift.max(low.count, high?.count ?? 0) + 2)
        var digits: [Int] = []
        var carry = 0
        for index in 0..<count {
            let sum = Int(low.digit(index)) + (high.map { Int($0.digit(index)) } ?? (index == 0 ? 256 : 0)) + carry
            digits.append(sum / 2)
            carry = sum % 2 * 256
        }
        for index in stride(from: count - 1, to: 0, by: -1) where digits[index] > 255 {
            digits[index] -= 256
            digits[index - 1] += 1
        }
        let key = digits.map { UInt8(clamping: $0) }
        // As soon as it is between, more digits tell nothing.
        return (1...count).lazy.map { Array(key.prefix($0)) }.first { key in
            low.lexicographicallyPrecedes(key) && high.map { key.lexicographicallyPrecedes($0) } ?? true
        }
    }

    /// The least key behind all that begin with the prefix; nil: there is none.
    static func successor(ofPrefix prefix: [UInt8]) -> [UInt8]? {
        guard let index = prefix.lastIndex(where: { $0 < 0xFF }) else { return nil }
        return prefix[..<index] + [prefix[index] + 1]
    }
}

extension [UInt8] {
    fileprivate func digit(_ index: Int) -> UInt8 { index < count ? self[index] : 0 }
}

private func later(_ a: [UInt8], _ b: [UInt8]) -> [UInt8] { a.lexicographicallyPrecedes(b) ? b : a }
