import Foundation
import Model
import NIOCore
import NIOHTTP1
import ObjectAccess
import S3Protocol
import Wire

/// Versions as the first Swifts had them (`versioned_writes`): what is replaced or deleted is copied into another container.
struct LegacyVersions: Sendable, Equatable {
    /// The stack: a DELETE brings the predecessor back. The history: a DELETE leaves a marker.
    static let headers = ["x-versions-location", "x-history-location"]
    static let markerType = "application/x-deleted;swift_versions_deleted=1"

    var container: String
    var keepsHistory: Bool

    /// nil: the container keeps no predecessors.
    init?(_ container: BucketRecord) {
        for name in Self.headers {
            guard let value = container.headers[name], let decoded = PercentEncoding.decode(value) else { continue }
            self.container = decoded
            keepsHistory = name == Self.headers[1]
            return
        }
        return nil
    }

    /// What the names of all copies of an object begin with: its length in hex, its name and a slash.
    static func prefix(of object: [UInt8]) -> [UInt8] {
        let length = String(object.count, radix: 16)
        return Array((String(repeating: "0", count: max(0, 3 - length.count)) + length).utf8) + object
            + [UInt8(ascii: "/")]
    }

    /// - Parameter attempt: tells copies apart that were made in the same millisecond; below 100.
    static func name(of object: [UInt8], milliseconds: Int64, attempt: Int) -> [UInt8] {
        let time = SwiftHeaders.timestamp(milliseconds).dropLast(2)
        return prefix(of: object) + Array((time + (attempt < 10 ? "0" : "") + String(attempt)).utf8)
    }
}

extension SwiftOperations {
    private static let copiesAtOneTimeMax = 100

    /// Checks the headers that a container is to get. One of the two takes the place of the other.
    static func checkVersionLocations(_ changes: inout [SwiftHeader], _ call: SwiftCall) throws(SwiftError) {
        let given = changes.filter { LegacyVersions.headers.contains($0.name) && !$0.value.isEmpty }
        guard let location = given.first else { return }
        guard given.count == 1 else {
            throw SwiftError(400, "Only one of X-History-Location or X-Versions-Location may be specified")
        }
        guard let name = PercentEncoding.decode(location.value), !name.contains("/"), !name.utf8.contains(0) else {
            throw SwiftError(412, "\(SwiftHeaders.titled(location.name)) must be the name of a container")
        }
        try checkContainerName(name)
        guard call.container?.versioning ?? .unversioned != .enabled else {
            throw SwiftError(
                400, "Cannot set \(SwiftHeaders.titled(location.name)) on a container with object versioning")
        }
        changes.removeAll { LegacyVersions.headers.contains($0.name) && $0.value.isEmpty }
        for other in LegacyVersions.headers where other != location.name {
            changes.append(SwiftHeader(name: other, value: ""))
        }
    }

    // MARK: - Writes and deletes

    /// Before an object is replaced.
    func keepPredecessor(_ call: SwiftCall, _ container: BucketRecord) async throws {
        guard let legacy = LegacyVersions(container), let name = call.object else { return }
        let shared = try shared(call, container, key: name)
        let (found, blob) = try await s3.read(nil, of: shared.object, withBlob: true, shared)
        // What other objects are made of is not theirs to keep.
        guard let object = found, !object.isDeleteMarker, !object.isExpired(now: clock() / 1000),
            object.objectManifest.isEmpty
        else { return }
        let versions = try await versionsContainer(legacy, call)
        try await archive(object, beside: blob, of: name, in: versions, call)
    }

    /// Returns whether the delete is done: of a container that keeps predecessors.
    func deleteKeepingPredecessor(
        _ name: [UInt8], in container: BucketRecord, _ call: SwiftCall
    ) async throws -> Bool {
        guard let legacy = LegacyVersions(container) else { return false }
        var call = call
        call.object = name
        guard legacy.keepsHistory else { return try await bringBack(name, legacy, container, call) }
        try await keepPredecessor(call, container)
        let versions = try await versionsContainer(legacy, call)
        let marker = ObjectRecord(
            version: ObjectRecord.formatVersion, modifiedMilliseconds: clock(), etag: ETag.ofNothing,
            headers: [HeaderField(name: "content-type", value: LegacyVersions.markerType)], owner: versions.owner)
        try await archive(marker, beside: nil, of: name, in: versions, call)
        return false
    }

    /// The newest copy takes the place of the object, and is gone. false: there is none, or it is a marker.
    private func bringBack(
        _ name: [UInt8], _ legacy: LegacyVersions, _ container: BucketRecord, _ call: SwiftCall
    ) async throws -> Bool {
        guard let project = call.project, let versions = await self.container(legacy.container, of: project),
            let id = versions.bucketID
        else { return false }
        let newest = ListingQuery(prefix: LegacyVersions.prefix(of: name), limit: 1, isReverse: true)
        guard let copy = try await listing(newest, of: id, call).first?.name else { return false }
        let register = try shared(call, versions, key: copy)
        let (found, blob) = try await s3.read(nil, of: register.object, withBlob: true, register)
        guard let object = found, !object.isDeleteMarker else { return false }
        let isMarker = object.headers["content-type"] == LegacyVersions.markerType
        if !isMarker {
            _ = try await duplicate(object, beside: blob, to: name, in: container, call, condition: .none)
        }
        _ = try await deleteCurrent(copy, in: versions, call)
        return !isMarker
    }

    private func versionsContainer(_ legacy: LegacyVersions, _ call: SwiftCall) async throws -> BucketRecord {
        guard let project = call.project, let versions = await container(legacy.container, of: project),
            versions.state == .bucketActive
        else { throw SwiftError(412, "The versions container does not exist") }
        return versions
    }

    private func archive(
        _ object: ObjectRecord, beside blob: ByteBuffer?, of name: [UInt8], in versions: BucketRecord,
        _ call: SwiftCall
    ) async throws {
        for attempt in 0..<Self.copiesAtOneTimeMax {
            let copy = LegacyVersions.name(of: name, milliseconds: object.modifiedMilliseconds, attempt: attempt)
            try Self.checkObjectName(copy)
            do {
                _ = try await duplicate(object, beside: blob, to: copy, in: versions, call, condition: .absent)
                return
            } catch let error where SwiftError(error).status == 412 { continue }
        }
        throw SwiftError(503)
    }

    /// A copy of the record and of what is stored for it, as it is: manifests and links stay what they are.
    private func duplicate(
        _ object: ObjectRecord, beside blob: ByteBuffer?, to name: [UInt8], in container: BucketRecord,
        _ call: SwiftCall, condition: WriteCondition
    ) async throws -> ObjectRecord {
        var copy = ObjectRecord(
            version: ObjectRecord.formatVersion, modifiedMilliseconds: object.modifiedMilliseconds, size: object.size,
            etag: object.etag, headers: object.headers, metadata: object.metadata, parts: object.parts,
            owner: container.owner, checksums: object.checksums, checksumType: object.checksumType, tags: object.tags)
        copy.manifestSize = object.manifestSize
        copy.deleteAtSeconds = object.deleteAtSeconds
        copy.copyLink(of: object)
        return try await store(
            try await plain(object, beside: blob, call).open(0..<object.storedSize), expected: object.storedSize,
            sizeMax: .max, as: copy, at: try shared(call, container, key: name), condition: condition
        ) { _, _ in }
    }
}

extension ListingQuery {
    init(prefix: [UInt8], limit: Int, isReverse: Bool = false, delimiter: [UInt8] = []) {
        format = .json
        self.limit = limit
        (marker, endMarker) = ([], [])
        (self.prefix, self.delimiter, path) = (prefix, delimiter, nil)
        self.isReverse = isReverse
    }
}

extension ETag {
    /// Of an object without content.
    static let ofNothing = "d41d8cd98f00b204e9800998ecf8427e"
}
