import Model
import NIOHTTP1
import ObjectAccess
import S3Protocol
import Wire

/// One page of versions.
private struct VersionPage {
    enum Entry {
        case version(ListedVersion)
        case commonPrefix([UInt8])
    }

    var entries: [Entry] = []
    var isTruncated = false
}

/// ListObjectVersions.
extension S3Operations {
    func listObjectVersions(_ call: S3Call) async throws -> S3Response {
        let query = call.request.query
        let request = try ListingRequest(query)
        let page = try await versionPage(request, call)
        var writer = XMLWriter(reservingCapacity: 512 + page.entries.count * 300)
        writer.element("ListVersionsResult", namespace: XMLWriter.s3Namespace) { result in
            Self.head(of: &result, request, call, truncated: page.isTruncated)
            result.element("KeyMarker", request.shown(query["key-marker"] ?? ""))
            result.element("VersionIdMarker", query["version-id-marker"] ?? "")
            if page.isTruncated, let last = page.entries.last {
                switch last {
                case .version(let version):
                    result.element("NextKeyMarker", request.shown(version.key))
                    result.element("NextVersionIdMarker", version.shownID)
                case .commonPrefix(let prefix): result.element("NextKeyMarker", request.shown(prefix))
                }
            }
            for case .version(let version) in page.entries { Self.write(version, request, to: &result) }
            for case .commonPrefix(let prefix) in page.entries { Self.write([prefix], request, to: &result) }
        }
        return .xml(writer.bytes)
    }

    private func versionPage(_ request: ListingRequest, _ call: S3Call) async throws -> VersionPage {
        var page = VersionPage()
        let marker = try await versionMarker(request, call)
        guard request.keysMax > 0 else { return page }
        let (prefix, delimiter) = (Array(request.prefix.utf8), Array(request.delimiter.utf8))
        var merge = try await VersionMerge(
            storage, bucket: call.bucketID, prefix: prefix, after: marker,
            limit: min(request.keysMax + 1, Limits.listKeysMax), call.context)
        let deadline = ContinuousClock.now + Self.listingTimeout
        while let version = try await merge.next() {
            if page.entries.count == request.keysMax || ContinuousClock.now >= deadline, !page.entries.isEmpty {
                page.isTruncated = true
                break
            }
            let rest = version.key.dropFirst(prefix.count)
            if !delimiter.isEmpty, let found = rest.firstRange(of: delimiter) {
                let common = Array(version.key[..<found.upperBound])
                page.entries.append(.commonPrefix(common))
                merge.skip(common)
            } else {
                page.entries.append(.version(version))
            }
        }
        return page
    }

    private func versionMarker(_ request: ListingRequest, _ call: S3Call) async throws -> VersionMerge.Marker? {
        let query = call.request.query
        let marker = query["key-marker"] ?? ""
        let id = query["version-id-marker"]
        guard !marker.isEmpty else {
            guard id == nil || id == "" else {
                throw S3Error.invalidArgument(
                    "A version-id marker cannot be specified without a key marker.", name: "version-id-marker",
                    value: id ?? "")
            }
            return nil
        }
        let key = Array(marker.utf8)
        guard let id, !id.isEmpty else { return request.isCommonPrefix(marker) ? .prefix(key) : .key(key) }
        let version = try requestedVersion(id)
        if let name = version.flatMap(VersionName.init(id:)) { return .version(key, name) }
        // The null version. When it is gone by now, the key is listed anew rather than cut short.
        let object = RegisterName(bucket: call.bucketID, key: key)
        let state = try await storage.read(object, withBlob: false, context: call.context).state
        switch try KeyVersions(state).find("") {
        case .current(let record): return .version(key, record.name)
        case .pending(let name, _), .archived(let name): return .version(key, name)
        case .absent: return .version(key, VersionName(place: .max, number: .max))
        }
    }

    private static func write(_ version: ListedVersion, _ request: ListingRequest, to result: inout XMLWriter) {
        let summary = version.summary
        let isMarker = summary.kind == .versionDeleteMarker
        result.element(isMarker ? "DeleteMarker" : "Version") { element in
            element.element("Key", request.shown(version.key))
            element.element("VersionId", version.shownID)
            element.element("IsLatest", version.isLatest)
            element.element("LastModified", listedDate(summary.modifiedMilliseconds))
            if !isMarker {
                element.element("ETag", ETag.quoted(summary.shownETag))
                element.checksum(of: summary)
                element.element("Size", summary.size)
                element.element(
                    "StorageClass", summary.storageClass.isEmpty ? storageClassDefault : summary.storageClass)
            }
            element.owner(summary.owner)
        }
    }
}

extension ListedVersion {
    fileprivate var shownID: String { summary.versionId.isEmpty ? "null" : summary.versionId }
}
