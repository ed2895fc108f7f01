import Model
import Register
import Wire

/// The record of a register as it is stored: opaque bytes and what storage nodes and listings need beside them.
public struct StoredRecord: RegisterRecord {
    /// An encoded `ObjectRecord`, `UploadRecord` or `PartRecord`.
    public var bytes: [UInt8]
    /// A tombstone. One with a summary is a delete marker, or has more to say about versions: it is not dropped.
    public var deleted: Bool
    /// An encoded `ListingSummary`: what a listing shows without the record.
    public var summary: [UInt8]
    /// The blobs stored beside the register; content in chunks is not among them.
    public var blobs: [BlobID]

    public init(bytes: [UInt8], deleted: Bool = false, summary: [UInt8] = [], blobs: [BlobID] = []) {
        self.bytes = bytes
        self.deleted = deleted
        self.summary = summary
        self.blobs = blobs
    }

    public static let tombstone = StoredRecord(bytes: [], deleted: true)

    public var isTombstone: Bool { deleted }
}

/// A message whose fields make no sense together.
struct InvalidMessage: Error, CustomStringConvertible {
    let description: String
}

extension RegisterState where Record == StoredRecord {
    /// The state that a message carries.
    public init(_ stored: StoredState) throws {
        var operations: [OperationID] = []
        operations.reserveCapacity(stored.recentOperations.count)
        for bytes in stored.recentOperations {
            guard let operation = OperationID(bytes) else { throw InvalidMessage(description: "operation id") }
            operations.append(operation)
        }
        self.init(
            tag: Ballot(stored.tag), sequence: stored.sequence, recentOperations: operations,
            record: stored.sequence == 0 ? nil : try StoredRecord(stored))
    }

    /// The state as a message carries it.
    public var stored: StoredState {
        StoredState(
            tag: BallotNumber(tag), sequence: sequence, recentOperations: recentOperations.map(\.bytes),
            record: record?.bytes ?? [], deleted: record?.deleted ?? false, summary: record?.summary ?? [],
            blobs: record?.blobs.map(\.bytes) ?? [])
    }

    /// The blob beside the register, when there is exactly one.
    public var blob: BlobID? { record.flatMap { $0.blobs.count == 1 ? $0.blobs[0] : nil } }
}

extension StoredRecord {
    init(_ stored: StoredState) throws {
        var blobs: [BlobID] = []
        for bytes in stored.blobs {
            guard let blob = BlobID(bytes) else { throw InvalidMessage(description: "blob id") }
            blobs.append(blob)
        }
        self.init(bytes: stored.record, deleted: stored.deleted, summary: stored.summary, blobs: blobs)
    }
}

extension Ballot {
    public init(_ number: BallotNumber?) {
        self.init(counter: number?.counter ?? 0, writer: number?.writer ?? 0)
    }
}

extension BallotNumber {
    public init(_ ballot: Ballot) { self.init(counter: ballot.counter, writer: ballot.writer) }
}

extension Wire.RegisterName {
    public init(_ name: Model.RegisterName) {
        self.init(bucket: name.bucket.bytes, keyspace: UInt32(name.keyspace.rawValue), key: name.key)
    }
}

extension Model.RegisterName {
    /// nil when the message names no register.
    public init?(_ name: Wire.RegisterName?) {
        guard let name, let bucket = BucketID(name.bucket), let number = UInt8(exactly: name.keyspace),
            let keyspace = Keyspace(rawValue: number)
        else { return nil }
        self.init(bucket: bucket, keyspace: keyspace, key: name.key)
    }
}
