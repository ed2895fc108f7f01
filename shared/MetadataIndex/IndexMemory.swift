import CRocksDB

/// How much memory the indexes of a process may take together.
public final class IndexMemory: @unchecked Sendable {
    let cache: OpaquePointer
    /// For the write buffers of one index.
    let writeBufferSize: Int
    /// Bytes in all.
    public let limit: Int

    /// The cache is not a strict one: a read whose block found no room would fail. It exceeds its share only when all of
    /// it is pinned by reads under way, by a block for each.
    ///
    /// - Parameters:
    ///   - limit: bytes in all; two thirds cache blocks, indexes and filters, the rest is for writes.
    ///   - indexes: how many share it.
    public init(limit: Int, indexes: Int = 1) {
        self.limit = limit
        cache = rocksdb_cache_create_lru(limit / 3 * 2)
        writeBufferSize = max(1 << 20, limit / 3 / max(1, indexes))
    }

    deinit { rocksdb_cache_destroy(cache) }

    /// Bytes of blocks, indexes and filters, of all indexes.
    public var cached: Int { rocksdb_cache_get_usage(cache) }
    /// What reads under way hold of them.
    public var pinned: Int { rocksdb_cache_get_pinned_usage(cache) }
}

/// What one index takes, in bytes.
public struct IndexMemoryUse: Sendable, CustomStringConvertible {
    public var writeBuffers: Int
    /// Beside the cache.
    public var tables: Int
    /// Of all indexes that share it.
    public var cache: Int

    public var description: String {
        "write buffers \(writeBuffers >> 20) MiB, tables \(tables >> 20) MiB, cache \(cache >> 20) MiB"
    }
}

extension MetadataIndex {
    public var memoryUse: IndexMemoryUse { database.memoryUse }
}
