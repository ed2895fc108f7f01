import Model

/// What a disk holds. Part of every write, so exact after a crash.
public struct StorageTotals: Sendable, Equatable {
    /// Registers, blobs and chunks that are in force, and the bytes that their records take in the log.
    public var activeRecords: UInt64 = 0
    public var activeBytes: UInt64 = 0
    /// The same with what was overwritten, deleted or copied and still takes space.
    public var totalRecords: UInt64 = 0
    public var totalBytes: UInt64 = 0
    /// Registers with a tombstone.
    public var tombstones: UInt64 = 0

    public init() {}

    /// A register, blob or chunk is in force.
    mutating func activate(record size: UInt32) {
        activeRecords &+= 1
        activeBytes &+= UInt64(size)
    }

    mutating func retire(record size: UInt32) {
        activeRecords &-= 1
        activeBytes &-= UInt64(size)
    }

    /// A record of a register, blob or chunk was met in the log.
    mutating func meet(record size: UInt32) {
        totalRecords &+= 1
        totalBytes &+= UInt64(size)
    }

    /// A segment is gone.
    mutating func forget(_ segment: SegmentTotals) {
        totalRecords = totalRecords > segment.contentRecords ? totalRecords - segment.contentRecords : 0
        totalBytes = totalBytes > segment.contentBytes ? totalBytes - segment.contentBytes : 0
    }

    static func + (a: Self, b: Self) -> Self {
        var sum = a
        sum.activeRecords &+= b.activeRecords
        sum.activeBytes &+= b.activeBytes
        sum.totalRecords &+= b.totalRecords
        sum.totalBytes &+= b.totalBytes
        sum.tombstones &+= b.tombstones
        return sum
    }

    func encoded() -> [UInt8] {
        var bytes: [UInt8] = []
        for number in [activeRecords, activeBytes, totalRecords, totalBytes, tombstones] { bytes.appendNumber(number) }
        return bytes
    }

    init?(decoding bytes: UnsafeRawBufferPointer) {
        var reader = ByteReader(bytes)
        guard let a: UInt64 = reader.number(), let b: UInt64 = reader.number(), let c: UInt64 = reader.number(),
            let d: UInt64 = reader.number(), let e: UInt64 = reader.number()
        else { return nil }
        (activeRecords, activeBytes, totalRecords, totalBytes, tombstones) = (a, b, c, d, e)
    }
}

/// Live objects of one bucket on one disk, archived versions among them, and the size of their content and of parts of
/// uploads.
public struct BucketTotals: Sendable, Equatable {
    public var objects: UInt64 = 0
    public var bytes: UInt64 = 0

    public init() {}

    func encoded() -> [UInt8] {
        var encoded: [UInt8] = []
        encoded.appendNumber(objects)
        encoded.appendNumber(bytes)
        return encoded
    }

    init?(decoding encoded: UnsafeRawBufferPointer) {
        var reader = ByteReader(encoded)
        guard let objects: UInt64 = reader.number(), let bytes: UInt64 = reader.number() else { return nil }
        (self.objects, self.bytes) = (objects, bytes)
    }
}

/// What one segment of the log holds. Part of every write, so exact after a crash.
public struct SegmentTotals: Sendable, Equatable {
    /// Registers, blobs, chunks and hints in force: a segment that has any cannot be removed.
    public var liveRecords: UInt64 = 0
    public var liveBytes: UInt64 = 0
    /// Bytes of the small records of the node itself (ceilings, drops, forgotten hints, doubt, trust). Compaction looks at
    /// each; they are neither garbage nor in the way of removal.
    public var controlBytes: UInt64 = 0
    /// All records that were read or written there, and their bytes.
    public var records: UInt64 = 0
    public var totalBytes: UInt64 = 0
    /// Registers, blobs and chunks among them.
    var contentRecords: UInt64 = 0
    var contentBytes: UInt64 = 0

    public init() {}

    /// What compaction would free.
    public var garbageBytes: UInt64 {
        let kept = liveBytes &+ controlBytes
        return totalBytes > kept ? totalBytes - kept : 0
    }

    mutating func add(_ size: UInt32, _ kind: RecordKind) {
        records &+= 1
        totalBytes &+= UInt64(size)
        if kind == .content || kind == .garbage {
            contentRecords &+= 1
            contentBytes &+= UInt64(size)
        }
        switch kind {
        case .content, .hint:
            liveRecords &+= 1
            liveBytes &+= UInt64(size)
        case .control: controlBytes &+= UInt64(size)
        case .garbage: break
        }
    }

    /// A record that was in force no longer is.
    mutating func retire(_ size: UInt32) {
        liveRecords = liveRecords > 0 ? liveRecords - 1 : 0
        liveBytes = liveBytes > UInt64(size) ? liveBytes - UInt64(size) : 0
    }

    func encoded() -> [UInt8] {
        var bytes: [UInt8] = []
        let numbers = [liveRecords, liveBytes, controlBytes, records, totalBytes, contentRecords, contentBytes]
        for number in numbers { bytes.appendNumber(number) }
        return bytes
    }

    init?(decoding bytes: UnsafeRawBufferPointer) {
        var reader = ByteReader(bytes)
        guard let a: UInt64 = reader.number(), let b: UInt64 = reader.number(), let c: UInt64 = reader.number(),
            let d: UInt64 = reader.number(), let e: UInt64 = reader.number(), let f: UInt64 = reader.number(),
            let g: UInt64 = reader.number()
        else { return nil }
        (liveRecords, liveBytes, controlBytes, records, totalBytes) = (a, b, c, d, e)
        (contentRecords, contentBytes) = (f, g)
    }
}

/// How a record counts when it is met.
enum RecordKind {
    /// Of a register, blob or chunk, in force from now on.
    case content
    /// Of a register, blob or chunk, not in force.
    case garbage
    case hint
    case control
}

/// Numbers of entries that opening must not count one by one.
struct EntryCounts: Sendable, Equatable {
    var hints: Int64 = 0
    var releases: Int64 = 0
    /// Blobs whose register has not come yet.
    var unclaimed: Int64 = 0
    /// Keys whose tombstone was purged, while older records of them may be left.
    var purged: Int64 = 0

    init() {}

    func encoded() -> [UInt8] {
        var bytes: [UInt8] = []
        for number in [hints, releases, unclaimed, purged] { bytes.appendNumber(number) }
        return bytes
    }

    init?(decoding bytes: UnsafeRawBufferPointer) {
        var reader = ByteReader(bytes)
        guard let a: Int64 = reader.number(), let b: Int64 = reader.number(), let c: Int64 = reader.number() else {
            return nil
        }
        (hints, releases, unclaimed) = (a, b, c)
        // An index of an earlier version has none.
        purged = reader.number() ?? 0
    }
}
