import MessageBus
import Model
import ObjectAccess
import Wire

/// Pages of a container's listing.
extension SwiftOperations {
    func listing(_ query: ListingQuery, of bucket: BucketID, _ call: SwiftCall) async throws -> [ListedObject] {
        var entries: [ListedObject] = []
        var request = ListQuery(
            bucket: bucket, prefix: query.prefix, after: query.position, until: query.endMarker,
            direction: query.direction, delimiter: query.delimiter)
        while entries.count < query.limit {
            request.limit = query.limit - entries.count
            let page = try await storage.list(request, context: call.context)
            for entry in page.entries {
                switch entry {
                case .key(let key, let summary, _):
                    // The directory itself is no entry of it.
                    if key == query.path { continue }
                    entries.append(.object(key, try ListingSummary(decoding: summary)))
                case .commonPrefix(let prefix):
                    if query.path == nil { entries.append(.subdirectory(prefix)) }
                }
            }
            guard page.truncated, let next = page.next else { break }
            request.after = next
        }
        return entries
    }
}

extension ListingQuery {
    /// Behind the marker. One that is a subdirectory of this listing: all that is below it has been seen.
    fileprivate var position: ListPosition? {
        guard !marker.isEmpty else { return nil }
        let isSubdirectory = marker.starts(with: prefix) && subdirectory(of: marker) == marker
        return ListPosition(key: marker, isPrefix: isSubdirectory)
    }
}
