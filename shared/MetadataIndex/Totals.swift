import Model

/// What a disk holds. Part of every write, so exact after a crash.
public struct StorageTotals: Sendable, Equatable {
    /// Registers, blobs and chunks that are in force, and the bytes that their records take in the log.
    public var activeRecords: UInt64 = 0
    public var activeBytes: UInt64 = 0
    /// The same with what was overwritten or deleted and still takes space.
    public var totalRecords: UInt64 = 0
    public var totalBytes: UInt64 = 0
    /// Registers with a tombstone.
    public var tombstones: UInt64 = 0

    public init() {}

    mutating func add(record size: UInt32) {
        activeRecords &+= 1
        activeBytes &+= UInt64(size)
        totalRecords &+= 1
        totalBytes &+= UInt64(size)
    }

    mutating func retire(record size: UInt32) {
        activeRecords &-= 1
        activeBytes &-= UInt64(size)
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

/// Live objects of one bucket on one disk, and the size of their content.
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
