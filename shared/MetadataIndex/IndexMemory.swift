import CRocksDB

/// How much memory the indexes of a process may take together.
///
/// Half of it is the cache: blocks, and the indexes and filters of tables. A quarter is for write buffers, memtables that
/// fill or are being flushed. The last quarter is for what nobody counts: buffers of flushes and compactions, open
/// tables, and what the allocator cannot use in between (measured: see docs/internals/performance.md).
public final class IndexMemory: @unchecked Sendable {
    let cache: OpaquePointer
    /// Bytes of ``cache``.
    let cacheSize: Int
    /// Of each write buffer of an index.
    let writeBufferSize: Int
    /// Bytes in all.
    public let limit: Int

    /// Parts of the cache with locks of their own.
    private static let cacheShardBits: Int32 = 4
    private static let writeBufferMin = 256 << 10

    /// The cache is not a strict one: a read whose block found no room would fail. It exceeds its share only when all of
    /// it is pinned by reads under way, by a block for each.
    ///
    /// - Parameters:
    ///   - limit: bytes in all.
    ///   - indexes: how many share it.
    public init(limit: Int, indexes: Int = 1) {
        self.limit = limit
        cacheSize = limit / 2
        cache = Self.cache(cacheSize)
        writeBufferSize = max(Self.writeBufferMin, limit / 4 / DatabaseOptions.writeBuffers / max(1, indexes))
    }

    deinit { rocksdb_cache_destroy(cache) }

    private static func cache(_ size: Int) -> OpaquePointer {
        let options = rocksdb_lru_cache_options_create()
        defer { rocksdb_lru_cache_options_destroy(options) }
        rocksdb_lru_cache_options_set_capacity(options, size)
        rocksdb_lru_cache_options_set_num_shard_bits(options, cacheShardBits)
        return rocksdb_cache_create_lru_opts(options)!
    }

    /// Bytes of blocks, indexes and filters, of all indexes.
    public var cached: Int { rocksdb_cache_get_usage(cache) }
    /// What reads under way hold of them.
    public var pinned: Int { rocksdb_cache_get_pinned_usage(cache) }
}

/// What one index takes, in bytes.
public struct IndexMemoryUse: Sendable, CustomStringConvertible {
    public var writeBuffers: Int
    /// What is open of tables.
    public var tables: Int
    /// Of all indexes that share it.
    public var cache: Int

    /// Beside the cache.
    public var ofItsOwn: Int { writeBuffers + tables }

    public var description: String {
        "write buffers \(writeBuffers >> 20) MiB, tables \(tables >> 20) MiB, cache \(cache >> 20) MiB"
    }
}

extension MetadataIndex {
    public var memoryUse: IndexMemoryUse { database.memoryUse }
}
