import MetadataIndex
import Model
import NIOCore

/// Content with its checksum, as it came and as it goes.
public struct CheckedBytes: Sendable, Equatable {
    public var bytes: ByteBuffer
    public var checksum: UInt32

    public init(bytes: ByteBuffer, checksum: UInt32) {
        self.bytes = bytes
        self.checksum = checksum
    }
}

/// A blob that comes with a request.
public struct BlobPayload: Sendable {
    public var id: BlobID
    public var content: CheckedBytes

    public init(id: BlobID, content: CheckedBytes) {
        self.id = id
        self.content = content
    }
}

/// Where the record of some content stands in the log of a disk, for those who can read it there.
public struct ContentPlace: Sendable, Equatable {
    /// Smaller content is sent: that costs less than asking a thread to read it.
    static let sizeMin: UInt32 = 32 << 10

    public var directory: String
    public var disk: DiskID
    public var position: UInt64
    public var recordSize: UInt32
    /// Of the content.
    public var size: UInt32
    /// CRC32C of the content.
    public var checksum: UInt32
}

public struct ReadResult: Sendable, Equatable {
    public var state: ReplicaState?
    /// The blob beside the register, when it was asked for, is the only one and can be read.
    public var blob: (id: BlobID, content: CheckedBytes)?
    /// Where it stands, instead of the blob.
    public var place: (blob: BlobID, at: ContentPlace)?
    /// The largest ballot counter known.
    public var counter: UInt64

    public static func == (a: Self, b: Self) -> Bool {
        a.state == b.state && a.counter == b.counter && a.blob?.id == b.blob?.id && a.blob?.content == b.blob?.content
            && a.place?.blob == b.place?.blob && a.place?.at == b.place?.at
    }
}

public struct StageResult: Sendable, Equatable {
    public var promised: Bool
    /// What was proposed along is accepted too.
    public var accepted = false
    public var state: ReplicaState?
    public var promise: Ballot
    public var counter: UInt64
    /// Promised, and nothing is here: above which sequence the chain of the key begins.
    public var base: UInt64 = 0
}

public struct CommitResult: Sendable, Equatable {
    public enum Outcome: Sendable { case accepted, refused, blobMissing }
    public var outcome: Outcome
    public var promise: Ballot
    public var counter: UInt64
}

public enum LearnResult: Sendable, Equatable {
    case learned, known, blobMissing
    /// It cannot replace what this replica may have lost or purged: a state above this counter can.
    case tooOld(counter: UInt64)
}

public struct ChunkAnswer: Sendable, Equatable {
    /// Of the whole chunk.
    public var size: Int
    /// The part that was asked for; nil: only whether it is here, or its place.
    public var content: CheckedBytes?
    /// Of the whole chunk.
    public var place: ContentPlace?
    /// When it was asked for.
    public var origin: ChunkOrigin?
}

/// Where a chunk comes from, as its first writer said.
public struct ChunkOrigin: Sendable, Equatable {
    /// The register that is to refer to it; nil: not known.
    public var owner: RegisterName?
    /// Wall clock in milliseconds.
    public var writtenMilliseconds: Int64

    public init(owner: RegisterName?, writtenMilliseconds: Int64) {
        self.owner = owner
        self.writtenMilliseconds = writtenMilliseconds
    }
}

/// Content in chunks that a register of this node no longer refers to.
public struct NodeRelease: Sendable, Equatable {
    /// Of this node: sorts by age, then by disk.
    public var id: [UInt8]
    public var release: BlobRelease
}

/// Called once, on a worker or on the writer thread of a disk: must not block.
public typealias Completion<Answer> = @Sendable (Result<Answer, StorageError>) -> Void
