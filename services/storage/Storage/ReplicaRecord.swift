import MetadataIndex
import Model
import Register
import Wire

/// What a register holds as a storage node sees it: opaque bytes, and what listing and counting need.
public struct ReplicaRecord: RegisterRecord {
    public var bytes: [UInt8]
    public var isTombstone: Bool
    /// An encoded `ListingSummary`.
    public var summary: [UInt8]
    /// Blobs stored beside the register.
    public var blobs: [BlobID]

    /// A tombstone that listings show, or beside which versions stand: it is never purged.
    var isDeleteMarker: Bool { isTombstone && !summary.isEmpty }

    public init(bytes: [UInt8], isTombstone: Bool = false, summary: [UInt8] = [], blobs: [BlobID] = []) {
        self.bytes = bytes
        self.isTombstone = isTombstone
        self.summary = summary
        self.blobs = blobs
    }
}

public typealias ReplicaState = RegisterState<ReplicaRecord>

extension RegisterState where Record == ReplicaRecord {
    /// nil when the message is no state.
    public init?(_ stored: StoredState?) {
        guard let stored, let tag = Ballot(stored.tag) else { return nil }
        let operations = stored.recentOperations.compactMap { OperationID($0) }
        let blobs = stored.blobs.compactMap { BlobID($0) }
        guard operations.count == stored.recentOperations.count, operations.count <= Limits.recentOperations,
            blobs.count == stored.blobs.count, blobs.count <= Self.blobsMax
        else { return nil }
        let record = ReplicaRecord(
            bytes: stored.record, isTombstone: stored.deleted, summary: stored.summary, blobs: blobs)
        self.init(
            tag: tag, sequence: stored.sequence, recentOperations: operations,
            record: stored.sequence == 0 ? nil : record)
    }

    private static var blobsMax: Int { 16 }

    public var stored: StoredState {
        StoredState(
            tag: BallotNumber(tag), sequence: sequence, recentOperations: recentOperations.map(\.bytes),
            record: record?.bytes ?? [], deleted: record?.isTombstone ?? false, summary: record?.summary ?? [],
            blobs: record?.blobs.map(\.bytes) ?? [])
    }

    init(_ value: RegisterValue) {
        self.init(
            tag: value.tag, sequence: value.sequence, recentOperations: value.recentOperations,
            record: value.record.map {
                ReplicaRecord(bytes: $0, isTombstone: value.isTombstone, summary: value.summary, blobs: value.blobs)
            })
    }

    func value(of name: Model.RegisterName) -> RegisterValue {
        var summary: ListingSummary?
        if name.keyspace != .uploads, let record, !record.isTombstone, !record.summary.isEmpty {
            summary = try? ListingSummary(decoding: record.summary)
        }
        return RegisterValue(
            tag: tag, sequence: sequence, recentOperations: recentOperations,
            isTombstone: record?.isTombstone ?? false, record: record?.bytes, summary: record?.summary ?? [],
            blobs: record?.blobs ?? [], contentSize: summary?.storedSize ?? 0,
            isUncounted: summary.map { $0.archived || $0.kind == .versionDeleteMarker } ?? false)
    }
}

extension Ballot {
    init?(_ number: BallotNumber?) {
        guard let number else { return nil }
        self.init(counter: number.counter, writer: number.writer)
    }
}

extension BallotNumber {
    init(_ ballot: Ballot) { self.init(counter: ballot.counter, writer: ballot.writer) }
}

extension Wire.RegisterName {
    init(_ name: Model.RegisterName) {
        self.init(bucket: name.bucket.bytes, keyspace: UInt32(name.keyspace.rawValue), key: name.key)
    }
}

extension Model.RegisterName {
    /// Keys of uploads and versions hold an object's key, of versions with its zero bytes doubled, and an id.
    static var keySizeMax: Int { 2 * Limits.keySizeMax + 32 }

    /// nil when the message names no register.
    init?(_ name: Wire.RegisterName?) {
        guard let name, let bucket = BucketID(name.bucket), let number = UInt8(exactly: name.keyspace),
            let keyspace = Keyspace(rawValue: number), name.key.count <= Self.keySizeMax
        else { return nil }
        self.init(bucket: bucket, keyspace: keyspace, key: name.key)
    }
}
