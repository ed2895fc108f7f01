import Model

/// Keys of the index. The first byte says what kind of entry it is.
enum IndexKeys {
    static let registers = UInt8(ascii: "r")
    static let blobs = UInt8(ascii: "b")
    static let hints = UInt8(ascii: "h")
    /// Blobs whose register has not come yet.
    static let unclaimed = UInt8(ascii: "p")
    static let releases = UInt8(ascii: "g")
    /// Content that is marked as damaged.
    static let damage = UInt8(ascii: "x")
    /// Keys whose tombstone was purged.
    static let purgedRegisters = UInt8(ascii: "q")
    static let meta = UInt8(ascii: "m")

    static let format = metaKey("format")
    static let checkpoint = metaKey("checkpoint")
    static let counts = metaKey("counts")
    static let ceiling = metaKey("ceiling")
    static let totals = metaKey("totals")
    static let doubt = metaKey("doubt")
    static let left = metaKey("left")
    static let leftPartitions = metaKey("left partitions")
    static let floor = metaKey("floor")

    private static func metaKey(_ name: String) -> [UInt8] { [meta] + Array(name.utf8) }

    static func register(_ indexKey: [UInt8]) -> [UInt8] { [registers] + indexKey }

    static func purged(_ indexKey: [UInt8]) -> [UInt8] { [purgedRegisters] + indexKey }

    static func hint(_ id: UInt64) -> [UInt8] {
        var key = [hints]
        key.appendBigEndian(id)
        return key
    }

    static func unclaimed(of name: [UInt8]) -> [UInt8] {
        var key = [unclaimed]
        key.appendBigEndian(UInt16(clamping: name.count))
        return key + name
    }

    static let segments = [meta, UInt8(ascii: "#")]

    static func segmentTotals(_ segment: UInt32) -> [UInt8] {
        var key = segments
        key.appendBigEndian(segment)
        return key
    }

    static func bucketTotals(_ bucket: BucketID) -> [UInt8] { [meta, UInt8(ascii: "/")] + bucket.bytes }

    static func blob(_ key: BlobKey) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(21)
        bytes.append(blobs)
        bytes.appendIdentifier(key.blob)
        if let index = key.index { bytes.appendBigEndian(index) }
        return bytes
    }

    static func damaged(_ key: BlobKey) -> [UInt8] { [damage] + key.bytes }

    /// The first key behind all that begin with `prefix`. The prefix is not all 0xff.
    static func successor(of prefix: [UInt8]) -> [UInt8] {
        var key = prefix
        while let last = key.last {
            if last < 0xff {
                key[key.count - 1] = last + 1
                return key
            }
            key.removeLast()
        }
        return key
    }
}

/// A blob beside a register, or one chunk of a blob.
public struct BlobKey: Hashable, Sendable {
    public var blob: BlobID
    /// nil: the blob is stored whole, beside its register.
    public var index: UInt32?

    public init(_ blob: BlobID) { self.blob = blob }

    public init(_ chunk: ChunkName) {
        blob = chunk.blob
        index = chunk.index
    }

    /// 16 or 20 bytes; how heads of records begin.
    public var bytes: [UInt8] { Array(IndexKeys.blob(self).dropFirst()) }

    public init?(_ bytes: some RandomAccessCollection<UInt8>) {
        guard bytes.count == 16 || bytes.count == 20, let blob = BlobID(bytes.prefix(16)) else { return nil }
        self.blob = blob
        index = bytes.count == 16 ? nil : bytes.dropFirst(16).reduce(0) { $0 << 8 | UInt32($1) }
    }
}
