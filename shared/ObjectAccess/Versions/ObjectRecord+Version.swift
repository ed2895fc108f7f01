import Model
import Register
import Wire

/// Conversions between what registers hold and the records of objects.
extension ObjectRecord {
    public static let formatVersion: UInt32 = 1

    /// The present object; nil when there is none, or a delete marker.
    public init?(_ snapshot: RegisterSnapshot) throws {
        guard let record = snapshot.liveRecord else { return nil }
        try self.init(stored: record)
    }

    /// - Throws: ``AccessError/damaged(_:)``: the bytes are no record of an object.
    public init(stored: StoredRecord) throws {
        try self.init(bytes: stored.bytes)
    }

    /// - Throws: ``AccessError/damaged(_:)``: the bytes are no record of an object.
    public init(bytes: [UInt8]) throws {
        do {
            try self.init(decoding: bytes)
        } catch {
            throw AccessError.damaged("an object's record cannot be read")
        }
        guard version == Self.formatVersion else {
            throw AccessError.damaged("an object's record has the format \(version)")
        }
    }

    /// What the register is to hold. A delete marker is a tombstone that holds a record: listings of objects pass over
    /// it, and it stays as long as it has a summary.
    public var stored: StoredRecord {
        let isObject = kind == .versionObject
        let isEmpty = kind == .versionNone && pending.isEmpty
        return StoredRecord(
            bytes: encoded(), deleted: !isObject, summary: isEmpty ? [] : summary.encoded(),
            blobs: blobs.filter { $0.chunkSize == 0 }.compactMap { BlobID($0.id) })
    }

    private var summary: ListingSummary {
        var summary = ListingSummary(
            size: size, etag: etag, modifiedMilliseconds: modifiedMilliseconds, storageClass: storageClass,
            owner: owner, versionId: versionId, place: place, kind: kind, checksumType: checksumType,
            contentType: headers.first { $0.name == "content-type" }?.value ?? "", manifest: manifestSize > 0,
            symlink: symlinkPath, deleteAtSeconds: deleteAtSeconds, archived: archived, manifestEtag: manifestEtag,
            symlinkEtag: symlinkEtag, symlinkBytes: symlinkBytes, manifestSize: manifestSize)
        if let checksum = checksums.first { summary.checksumAlgorithm = checksum.name }
        summary.pending = pending.map { entry in
            guard let record = try? ObjectRecord(bytes: entry.record) else {
                return ListingSummary(versionId: entry.versionId, place: entry.place, removed: true).encoded()
            }
            return record.summary.encoded()
        }
        return summary
    }

    /// Where a symbolic link of Swift points to, as its listings show it; empty: it is none.
    private var symlinkPath: String {
        guard !symlinkTarget.isEmpty else { return "" }
        return symlinkAccount.isEmpty ? symlinkTarget : symlinkAccount + "/" + symlinkTarget
    }

    // MARK: - As a version

    public var isNull: Bool { versionId.isEmpty }
    public var isDeleteMarker: Bool { kind == .versionDeleteMarker }

    /// Places are milliseconds in the upper bits, so that they also tell the age of what was written before versioning.
    static func place(milliseconds: Int64) -> UInt64 { UInt64(clamping: min(milliseconds, 1 << 43)) << 20 }

    /// Which version of its key this is.
    public var name: VersionName {
        let place = place != 0 ? place : Self.place(milliseconds: modifiedMilliseconds)
        return VersionName(id: versionId) ?? .null(at: place)
    }

    /// The version must not be removed. `bypass`: governance may be passed over.
    public func isLocked(bypass: Bool = false, nowMilliseconds: Int64) -> Bool {
        if legalHold { return true }
        guard !lockMode.isEmpty, lockUntilMilliseconds > nowMilliseconds else { return false }
        return !(bypass && lockMode == "GOVERNANCE")
    }

    /// It was to exist until a time that has come: for clients it is gone, and repair removes it.
    /// - Parameter now: seconds since 1970.
    public func isExpired(now: Int64) -> Bool { deleteAtSeconds > 0 && deleteAtSeconds <= now }

    /// Tags by name.
    public var tagValues: [String: String] {
        Dictionary(tags.map { ($0.name, $0.value) }) { first, _ in first }
    }

    /// The version alone, without what the register of its key says about the others.
    public var versionAlone: ObjectRecord {
        var alone = self
        alone.place = name.place
        alone.archived = false
        alone.noncurrent = 0
        alone.nullPlace = 0
        alone.pending = []
        return alone
    }
}
