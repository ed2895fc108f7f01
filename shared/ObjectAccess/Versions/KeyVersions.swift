import Model
import Register
import Wire

/// What the register of a key says about the versions of the key: the current one, and which changes of the others are
/// decided and may not have been carried out yet. A pure value.
///
/// Every change of any version of a key is a change of this value, so it is decided by the one register: whatever two
/// writers do at the same time, one of them sees what the other did. What the change means for the registers of archived
/// versions is noted in ``pending`` and carried out afterwards, by the writer or by whoever comes next
/// (``ObjectVersions/settle(_:context:)``). Readers put what is pending above what they find archived.
/// See docs/internals/versions.md.
public struct KeyVersions: Sendable, Equatable {
    /// Above this a writer carries out first what is pending.
    static let pendingMax = 8
    static let pendingBytesMax = 256 << 10

    /// Why a change cannot be made from this value. The caller does something about it and tries again.
    public enum Obstacle: Error, Equatable {
        /// So much is pending that it must be carried out first.
        case unsettled
        /// The version that is to be archived has its content beside the register: it must become a chunk first.
        case contentBesideRegister
    }

    private var record: ObjectRecord

    /// - Throws: ``AccessError/damaged(_:)``: the register's record cannot be read.
    public init(_ state: RegisterState<StoredRecord>?) throws {
        guard let stored = state?.record, !stored.bytes.isEmpty else {
            record = ObjectRecord(version: ObjectRecord.formatVersion, kind: .versionNone)
            return
        }
        record = try ObjectRecord(stored: stored)
    }

    // MARK: - What there is

    /// nil: nothing is current. May be a delete marker.
    public var current: ObjectRecord? { record.kind == .versionNone ? nil : record }
    public var pending: [PendingVersion] { record.pending }
    /// Versions besides the current one.
    public var noncurrent: UInt64 { record.noncurrent }
    /// Some register of an archived version may be live.
    public var hasArchived: Bool { record.noncurrent > 0 || record.archived || !record.pending.isEmpty }

    /// Whether the key ever had more than an object that is replaced in place.
    private var isVersioned: Bool { record.revision > 0 || hasArchived || !record.versionId.isEmpty }

    /// The version of this id, as far as the register itself knows; `unknown`: the archive must be asked.
    public func find(_ id: String) -> Found {
        if let current, current.versionId == id { return .current(current) }
        if id.isEmpty, record.nullPlace == 0 { return .absent }
        guard let name = id.isEmpty ? .null(at: record.nullPlace) : VersionName(id: id) else { return .absent }
        guard let entry = record.pending.first(where: { $0.name == name }) else { return .archived(name) }
        guard !entry.record.isEmpty else { return .absent }
        return .pending(name, entry)
    }

    public enum Found: Sendable, Equatable {
        case current(ObjectRecord)
        /// Decided, and perhaps not archived yet.
        case pending(VersionName, PendingVersion)
        /// If it exists, it is archived.
        case archived(VersionName)
        case absent
    }

    /// What the register is to hold.
    public var stored: StoredRecord { isVersioned || current != nil ? record.stored : .tombstone }

    // MARK: - Changes

    /// Makes a new version the current one.
    /// - Parameters:
    ///   - object: the version, or a delete marker; its name and place are given here.
    ///   - number: random and not 0; the same one for every attempt of one request.
    ///   - destroying: asked about a version that is replaced for good; may refuse.
    /// - Throws: ``Obstacle``, or what `destroying` throws. The value is unchanged then.
    public mutating func put(
        _ object: ObjectRecord, _ mode: VersioningMode, number: UInt64, nowMilliseconds: Int64,
        destroying: (ObjectRecord) throws -> Void = { _ in }
    ) throws {
        guard mode != .unversioned || isVersioned || object.kind != .versionObject else {
            if let current { try destroying(current) }
            record = object.versionAloneInPlace
            return
        }
        try checkPending()
        let old = current
        var new = object.versionAlone
        new.revision = nextRevision(nowMilliseconds)
        new.place = max(new.revision, (old?.name.place ?? 0) + 1)
        new.versionId = mode == .enabled ? VersionName(place: new.place, number: number).id : ""
        new.noncurrent = record.noncurrent
        new.nullPlace = record.nullPlace
        new.pending = record.pending
        if let old, mode == .enabled || !old.isNull {
            try new.archive(old)
        } else if let old {
            try destroying(old)
            if old.archived { new.note(old.name, nil) }
        }
        if mode != .enabled, new.nullPlace != 0 {
            new.note(.null(at: new.nullPlace), nil)
            new.nullPlace = 0
            new.noncurrent -= min(1, new.noncurrent)
        }
        record = new
    }

    /// Removes the object of a key that never had versions.
    public mutating func removeOnly() {
        record = ObjectRecord(version: ObjectRecord.formatVersion, kind: .versionNone)
    }

    /// Whether a delete without a version leaves a delete marker.
    public func marksDeletes(_ mode: VersioningMode) -> Bool { mode != .unversioned || isVersioned }

    /// Removes the current version for good. Nothing may be pending.
    /// - Parameter next: the newest noncurrent version, which becomes the current one; nil: there is none.
    public mutating func removeCurrent(promoting next: ObjectRecord?, nowMilliseconds: Int64) {
        guard let old = current else { return }
        let revision = isVersioned ? nextRevision(nowMilliseconds) : 0
        record =
            next?.versionAlone ?? ObjectRecord(version: ObjectRecord.formatVersion, kind: .versionNone)
        record.revision = revision
        if let next {
            record.archived = true
            record.noncurrent = old.noncurrent - min(1, old.noncurrent)
            record.nullPlace = next.isNull ? 0 : old.nullPlace
        }
        if old.archived { record.note(old.name, nil) }
    }

    /// Removes a noncurrent version for good, which is archived. Nothing may be pending.
    public mutating func removeArchived(_ name: VersionName, nowMilliseconds: Int64) {
        record.revision = nextRevision(nowMilliseconds)
        record.note(name, nil)
        record.noncurrent -= min(1, record.noncurrent)
        if name.isNull { record.nullPlace = 0 }
    }

    /// Replaces what is said about a version: its tags, its lock… Content and name stay.
    public mutating func replace(_ name: VersionName, with version: ObjectRecord, nowMilliseconds: Int64) throws {
        if let current, current.name == name {
            var new = version.versionAlone
            new.place = current.place
            new.archived = current.archived
            new.noncurrent = current.noncurrent
            new.nullPlace = current.nullPlace
            new.pending = current.pending
            new.revision = isVersioned ? nextRevision(nowMilliseconds) : 0
            record = new
        } else {
            try checkPending()
            record.revision = nextRevision(nowMilliseconds)
            record.note(name, version.versionAlone)
        }
    }

    /// Forgets what was carried out. What was decided anew in between stays.
    public mutating func settle(_ done: [PendingVersion]) {
        let done = Dictionary(done.map { ($0.name, $0.revision) }) { max($0, $1) }
        record.pending.removeAll { done[$0.name] == $0.revision }
    }

    private func checkPending() throws {
        let bytes = record.pending.reduce(0) { $0 + $1.record.count }
        guard record.pending.count < Self.pendingMax, bytes < Self.pendingBytesMax else { throw Obstacle.unsettled }
    }

    /// Never repeats for a key, not even when its register was dropped in between: it takes the clock along.
    private func nextRevision(_ nowMilliseconds: Int64) -> UInt64 {
        max(record.revision + 1, ObjectRecord.place(milliseconds: nowMilliseconds))
    }
}

extension PendingVersion {
    var name: VersionName { VersionName(id: versionId) ?? .null(at: place) }
}

extension ObjectRecord {
    /// As the only version of its key.
    fileprivate var versionAloneInPlace: ObjectRecord {
        var alone = versionAlone
        alone.place = 0
        return alone
    }

    fileprivate mutating func archive(_ old: ObjectRecord) throws {
        guard old.blobs.allSatisfy({ $0.chunkSize != 0 }) else {
            throw KeyVersions.Obstacle.contentBesideRegister
        }
        note(old.name, old.versionAlone)
        noncurrent += 1
        if old.isNull { nullPlace = old.name.place }
    }

    /// Notes what is to become of an archived version, under the revision of this record; nil: it goes.
    fileprivate mutating func note(_ name: VersionName, _ version: ObjectRecord?) {
        pending.removeAll { $0.name == name }
        var version = version
        version?.revision = revision
        pending.append(
            PendingVersion(
                versionId: name.id, place: name.place, revision: revision, record: version?.encoded() ?? []))
    }
}
