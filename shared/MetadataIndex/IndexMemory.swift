import CRocksDB

/// How much memory the indexes of a process may take together.
public final class IndexMemory: @unchecked Sendable {
    let cache: OpaquePointer
    /// For the write buffers of one index.
    let writeBufferSize: Int

    /// - Parameters:
    ///   - limit: bytes in all; two thirds cache blocks, indexes and filters, the rest is for writes.
    ///   - indexes: how many share it.
    public init(limit: Int, indexes: Int = 1) {
        cache = rocksdb_cache_create_lru(limit / 3 * 2)
        writeBufferSize = max(1 << 20, limit / 3 / max(1, indexes))
    }

    deinit { rocksdb_cache_destroy(cache) }
}
