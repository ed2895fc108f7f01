import Checksums
import Model
import NIOCore
import Register
import Wire

@testable import Storage

/// The dictionary that a disk is compared with: what was acknowledged, and what may have happened besides.
struct DiskModel {
    struct Register {
        /// The newest state known to be durable.
        var durable: ReplicaState?
        /// Newer ones that nobody was answered for.
        var open: [ReplicaState] = []
        /// The highest ballot that was promised.
        var promise = Ballot.zero

        /// What a start may find.
        var allowed: [ReplicaState?] { [durable] + open.filter { $0.tag > durable?.tag ?? .zero } }

        mutating func settle(_ state: ReplicaState?) {
            if state?.tag ?? .zero >= durable?.tag ?? .zero { durable = state }
            let tag = durable?.tag ?? .zero
            open.removeAll { $0.tag <= tag }
        }
    }

    /// Something that is here, is gone, or may be either.
    enum Presence { case absent, present, unknown }

    var registers: [Model.RegisterName: Register] = [:]
    /// Every blob that ever came with a state.
    var blobs: Set<BlobID> = []
    var chunks: [ChunkName: Presence] = [:]
    /// Known to have been dropped.
    var dropped: Set<ChunkName> = []
    /// Drops that were asked for since the last start: what comes beside them may win or lose.
    var recentDrops: Set<ChunkName> = []
    /// By content, which is different for each.
    var hints: [[UInt8]: Presence] = [:]
    /// The largest counter of any ballot so far.
    var counter: UInt64 = 0
    var nextHint: UInt32 = 0
    /// Segments that compaction has removed.
    var removedSegments = 0

    // MARK: - What there is to name

    static let buckets = [BucketID(high: 1, low: 1), BucketID(high: 1, low: 2)]

    static let names: [Model.RegisterName] = buckets.flatMap { bucket in
        ["a", "a/b", "\u{1F9A9}", String(repeating: "k", count: 1024)].map {
            Model.RegisterName(bucket: bucket, key: Array($0.utf8))
        } + [Model.RegisterName(bucket: bucket, keyspace: .parts, key: [0, 0xff, 1])]
    }

    static let chunkNames: [ChunkName] = (0..<8).flatMap { blob in
        (0..<3).map { ChunkName(blob: BlobID(high: 7, low: blob), index: $0) }
    }

    // MARK: - Content: a function of its id

    static let sizes = [0, 1, 500, 512, 4000, 20_000, 90_000]

    static func content(_ blob: BlobID, _ index: UInt32 = 0) -> CheckedBytes {
        let size = sizes[Int((blob.low &+ UInt64(index)) % UInt64(sizes.count))]
        var bytes = ByteBuffer(repeating: UInt8(truncatingIfNeeded: blob.low), count: size)
        if size >= 12 { bytes.setInteger(blob.low << 8 | UInt64(index), at: size - 8) }
        return CheckedBytes(bytes: bytes, checksum: crc32c(bytes))
    }

    /// A state that only this ballot has, with a blob beside it or without one.
    static func state(_ tag: Ballot, deleted: Bool, withBlob: Bool) -> ReplicaState {
        let blob = BlobID(high: 9, low: tag.counter)
        let size = withBlob ? content(blob).bytes.readableBytes : 0
        return ReplicaState(
            tag: tag, sequence: tag.counter, recentOperations: [OperationID(high: 3, low: tag.counter)],
            record: ReplicaRecord(
                bytes: withUnsafeBytes(of: tag.counter) { Array($0) }, isTombstone: deleted,
                summary: ListingSummary(size: UInt64(size)).encoded(), blobs: withBlob && !deleted ? [blob] : []))
    }

    // MARK: - Sums

    /// Live objects and their bytes in a bucket.
    func totals(of bucket: BucketID) -> (objects: UInt64, bytes: UInt64) {
        var sum: (objects: UInt64, bytes: UInt64) = (0, 0)
        for (name, register) in registers where name.bucket == bucket && name.keyspace == .objects {
            guard let record = register.durable?.record, !record.isTombstone else { continue }
            sum.objects += 1
            sum.bytes += record.blobs.reduce(0) { $0 + UInt64(Self.content($1).bytes.readableBytes) }
        }
        return sum
    }

    var tombstones: Int { registers.values.count { $0.durable?.record?.isTombstone ?? false } }
}
