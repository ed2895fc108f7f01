import Checksums
import MetadataIndex
import Model
import NIOCore
import Register
import Ring
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
        /// The tag of a tombstone that may have been purged.
        var purging: Ballot?

        /// What a start may find.
        var allowed: [ReplicaState?] {
            let mayBeGone = durable != nil && durable?.tag == purging
            return [durable] + (mayBeGone ? [nil] : []) + open.filter { $0.tag > durable?.tag ?? .zero }
        }

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
    /// Whether the disk tells of content in chunks that its register no longer refers to.
    var releases: [BlobID: Presence] = [:]
    /// Content of which it has told and was asked to forget that: maybe before the new state was answered for.
    var toldReleases: Set<BlobID> = []
    /// The largest counter of any ballot so far.
    var counter: UInt64 = 0
    var nextHint: UInt32 = 0
    /// Everything counts as promised up to here.
    var fence = Ballot.zero
    /// The highest tag of a tombstone that was purged: older states of keys without one do not come back.
    var floor = Ballot.zero
    /// The same of the disk that has the slots given up: it counts here when one of them comes back.
    var floorElsewhere = Ballot.zero
    /// What was done, to see that something was.
    var tally = Tally()

    /// What stands in disks.json: the slots of this disk, and those of which it may have records without owning them.
    var owned = SlotSet.all
    var remnants = SlotSet()
    /// Slots in doubt.
    var doubts: [Int: Presence] = [:]
    /// Registers that have a state from after the doubt of their slot.
    var taught: [Model.RegisterName: Presence] = [:]
    /// Partitions of which everything may have been dropped.
    var departing: Set<UInt32> = []
    /// Segments in which a byte was flipped, one in each, and the content that it may have hit.
    var damagedSegments: Set<UInt32> = []
    var damaged: Set<BlobKey> = []

    struct Tally {
        var removedSegments = 0
        var moves = 0
        var doubts = 0
        var damages = 0
        var purges = 0
        var departures = 0

        static func += (a: inout Self, b: Self) {
            a.removedSegments += b.removedSegments
            a.moves += b.moves
            a.doubts += b.doubts
            a.damages += b.damages
            a.purges += b.purges
            a.departures += b.departures
        }
    }

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

    // MARK: - Slots

    static func slot(_ name: Model.RegisterName) -> Int { SlotSet.slot(ofKey: name.indexKey) }
    static func slot(_ chunk: ChunkName) -> Int { SlotSet.slot(ofKey: chunk.ringKey) }
    /// Of anything that there is to name.
    static let slots = Array(Set(names.map { slot($0) } + chunkNames.map { slot($0) })).sorted()

    func owns(_ name: Model.RegisterName) -> Bool { owned.contains(Self.slot(name)) }
    func owns(_ chunk: ChunkName) -> Bool { owned.contains(Self.slot(chunk)) }

    func doubt(_ name: Model.RegisterName) -> Presence { doubts[Self.slot(name)] ?? .absent }

    func isTaught(_ name: Model.RegisterName) -> Presence { taught[name] ?? .absent }

    /// `unknown`: doubt of these slots, or that it is settled, may have been noted.
    mutating func setDoubt(_ presence: Presence, _ slots: SlotSet) {
        for slot in slots.slots { doubts[slot] = presence }
        if presence != .unknown { taught = taught.filter { !slots.contains(Self.slot($0.key)) } }
    }

    /// New doubt of these slots is being noted: if it is, what was taught after an older one counts no more.
    mutating func beginDoubt(_ slots: SlotSet) {
        setDoubt(.unknown, slots)
        for name in taught.keys where slots.contains(Self.slot(name)) { taught[name] = .unknown }
    }

    /// Somebody has seen this state here.
    mutating func settle(_ name: Model.RegisterName, _ state: ReplicaState?) {
        let old = registers[name]?.durable
        registers[name, default: .init()].settle(state)
        guard let old, let blob = Self.releasable(old), let new = registers[name]?.durable, new.tag > old.tag,
            !toldReleases.contains(blob)
        else { return }
        releases[blob] = .present
    }
}

extension DiskModel {
    // MARK: - Partitions

    static let cut = PartitionCut(hashKey: scheme.ring.hashKey, count: scheme.ring.partitionCount)!
    static func partition(_ name: Model.RegisterName) -> UInt32 { cut.partition(of: name.indexKey) }
    static func partition(_ chunk: ChunkName) -> UInt32 { cut.partition(of: chunk.ringKey) }

    /// What a start may find of a register.
    func allowed(_ name: Model.RegisterName) -> [ReplicaState?] {
        (registers[name] ?? .init()).allowed + (departing.contains(Self.partition(name)) ? [nil] : [])
    }

    // MARK: - Content: a function of its id

    static let sizes = [0, 1, 500, 512, 4000, 20_000, 90_000]

    static func content(_ blob: BlobID, _ index: UInt32 = 0) -> CheckedBytes {
        let size = sizes[Int((blob.low &+ UInt64(index)) % UInt64(sizes.count))]
        var bytes = ByteBuffer(repeating: UInt8(truncatingIfNeeded: blob.low), count: size)
        if size >= 12 { bytes.setInteger(blob.low << 8 | UInt64(index), at: size - 8) }
        return CheckedBytes(bytes: bytes, checksum: crc32c(bytes))
    }

    /// What a register may have beside it.
    enum Kind { case plain, tombstone, withBlob, inChunks }

    /// A state that only this ballot has.
    static func state(_ tag: Ballot, _ kind: Kind) -> ReplicaState {
        let blob = BlobID(high: 9, low: tag.counter)
        let size = kind == .withBlob ? content(blob).bytes.readableBytes : 0
        var record = ObjectRecord(version: 1, modifiedMilliseconds: Int64(tag.counter), size: UInt64(size))
        if kind == .inChunks {
            let chunked = BlobID(high: chunkedBlobs, low: tag.counter)
            record.blobs = [BlobReference(id: chunked.bytes, size: 0, chunkSize: 1 << 20)]
        }
        return ReplicaState(
            tag: tag, sequence: tag.counter, recentOperations: [OperationID(high: 3, low: tag.counter)],
            record: ReplicaRecord(
                bytes: record.encoded(), isTombstone: kind == .tombstone,
                summary: ListingSummary(size: UInt64(size)).encoded(), blobs: kind == .withBlob ? [blob] : []))
    }

    /// Upper half of the ids of content in chunks.
    private static let chunkedBlobs: UInt64 = 11

    /// Content in chunks that the state refers to.
    static func releasable(_ state: ReplicaState) -> BlobID? {
        guard let record = state.record, !record.isTombstone, record.blobs.isEmpty,
            let object = try? record.bytes.withUnsafeBytes({ try ObjectRecord(decoding: $0) })
        else { return nil }
        return object.blobs.first.flatMap { BlobID($0.id) }
    }

    // MARK: - Sums

    /// Live objects in a bucket, and the bytes of these and of parts of uploads.
    func totals(of bucket: BucketID) -> (objects: UInt64, bytes: UInt64) {
        var sum: (objects: UInt64, bytes: UInt64) = (0, 0)
        for (name, register) in registers where name.bucket == bucket && owns(name) {
            guard let record = register.durable?.record, !record.isTombstone else { continue }
            if name.keyspace != .parts { sum.objects += 1 }
            sum.bytes += record.blobs.reduce(0) { $0 + UInt64(Self.content($1).bytes.readableBytes) }
        }
        return sum
    }

    var tombstones: Int { registers.count { owns($0.key) && $0.value.durable?.record?.isTombstone ?? false } }

    /// Of each partition, over what the disk owns and has.
    func digests(_ scheme: PartitionScheme) -> [PartitionDigests.Digest] {
        var digests = scheme.empty
        for (name, register) in registers where owns(name) {
            if let state = register.durable { scheme.add(name, state.tag, to: &digests) }
        }
        for (chunk, presence) in chunks where presence == .present && owns(chunk) { scheme.add(chunk, to: &digests) }
        return digests
    }

    static let scheme = PartitionScheme(
        ring: RingTable(
            epoch: 1, hashKey: Array(0..<16), partitions: Array(repeating: .init(current: ["storage-1"]), count: 8))!)
}
