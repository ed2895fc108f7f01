import MessageBus
import Model
import ObjectAccess
import Wire

/// `GET container?versions`: all versions and delete markers, the newest of a name first; or backwards.
extension SwiftOperations {
    func versionListing(
        _ query: ListingQuery, of bucket: BucketID, _ call: SwiftCall
    ) async throws -> [ListedObject] {
        let marker = try await versionMarker(query, of: bucket, call)
        guard query.limit > 0 else { return [] }
        var merge = try await VersionMerge(
            storage, bucket: bucket, prefix: query.prefix, after: marker, direction: query.direction,
            limit: min(query.limit + 1, Limits.listKeysMax), call.context)
        var entries: [ListedObject] = []
        while entries.count < query.limit, let version = try await merge.next() {
            guard query.isBeforeEnd(version.key) else { break }
            if let directory = query.subdirectory(of: version.key) {
                if query.path == nil { entries.append(.subdirectory(directory)) }
                merge.skip(directory)
            } else if version.key != query.path {
                entries.append(.version(version))
            }
        }
        return entries
    }

    /// Where the page before has ended.
    private func versionMarker(
        _ query: ListingQuery, of bucket: BucketID, _ call: SwiftCall
    ) async throws -> VersionMerge.Marker? {
        let id = call.request.query["version_marker"]
        guard !query.marker.isEmpty else {
            guard id == nil || id == "" else { throw SwiftError(400, "version_marker param requires marker") }
            return nil
        }
        guard let id, !id.isEmpty else {
            let isDirectory = query.subdirectory(of: query.marker) == query.marker
            return isDirectory ? .prefix(query.marker) : .key(query.marker)
        }
        if let name = VersionName(id: id) { return .version(query.marker, name) }
        guard id == "null" else { throw SwiftError(400, "Invalid version_marker param") }
        let object = Model.RegisterName(bucket: bucket, key: query.marker)
        let state = try await storage.read(object, withBlob: false, context: call.context).state
        switch try KeyVersions(state).find("") {
        case .current(let record): return .version(query.marker, record.name)
        case .pending(let name, _), .archived(let name): return .version(query.marker, name)
        // Gone by now: the name is listed anew rather than cut short.
        case .absent:
            let end: UInt64 = query.isReverse ? .min : .max
            return .version(query.marker, VersionName(place: end, number: end))
        }
    }
}
