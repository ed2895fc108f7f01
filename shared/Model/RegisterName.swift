/// What a register of a bucket holds. The numbers are stored: never change them.
public enum Keyspace: UInt8, Sendable, CaseIterable {
    case objects = 0
    /// Multipart uploads; key: object key, a zero byte, upload id.
    case uploads = 1
    /// Parts of multipart uploads; key: upload id, part number in two bytes, big endian.
    case parts = 2
    /// Noncurrent versions of objects; key: object key (escaped), inverted place, random number.
    case versions = 3
}

/// The name of a register: one key of one keyspace of one bucket.
public struct RegisterName: Hashable, Comparable, Sendable {
    public var bucket: BucketID
    public var keyspace: Keyspace
    /// Opaque bytes, ordered as unsigned bytes. Never a path.
    public var key: [UInt8]

    public init(bucket: BucketID, keyspace: Keyspace = .objects, key: [UInt8]) {
        self.bucket = bucket
        self.keyspace = keyspace
        self.key = key
    }

    /// Key of the metadata index: bucket, keyspace, key. Its byte order is the order of names.
    public var indexKey: [UInt8] { bucket.bytes + [keyspace.rawValue] + key }

    public init?(indexKey: some RandomAccessCollection<UInt8>) {
        guard indexKey.count >= 17, let bucket = BucketID(indexKey.prefix(16)),
            let keyspace = Keyspace(rawValue: indexKey[indexKey.index(indexKey.startIndex, offsetBy: 16)])
        else { return nil }
        self.init(bucket: bucket, keyspace: keyspace, key: Array(indexKey.dropFirst(17)))
    }

    public static func < (a: Self, b: Self) -> Bool {
        if a.bucket != b.bucket { return a.bucket < b.bucket }
        if a.keyspace != b.keyspace { return a.keyspace.rawValue < b.keyspace.rawValue }
        return a.key.lexicographicallyPrecedes(b.key)
    }
}

/// The name of one chunk of a large object.
public struct ChunkName: Hashable, Comparable, Sendable {
    public var blob: BlobID
    public var index: UInt32

    public init(blob: BlobID, index: UInt32) {
        self.blob = blob
        self.index = index
    }

    public static func < (a: Self, b: Self) -> Bool { (a.blob, a.index) < (b.blob, b.index) }
}
