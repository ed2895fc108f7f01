import CRocksDB

/// How RocksDB keeps the entries of an index.
enum DatabaseOptions {
    private static let journalFatal: Int32 = 4
    /// Of a manifest. RocksDB's own 4 MiB are seldom needed, and filled at each opening.
    private static let manifestPreallocation = 64 << 10
    private static let bloomBitsPerKey = 10.0
    /// Of a memtable, for a filter of its keys: every write first looks for entries that are mostly not there.
    private static let memtableBloomShare = 0.02
    /// Memtables of one index: one that fills, others being flushed.
    static let writeBuffers = 3

    /// To be destroyed by the caller.
    static func create(_ memory: IndexMemory) -> OpaquePointer? {
        let options = rocksdb_options_create()
        rocksdb_options_set_create_if_missing(options, 1)
        let table = tables(memory)
        rocksdb_options_set_block_based_table_factory(options, table)
        rocksdb_block_based_options_destroy(table)
        rocksdb_options_set_write_buffer_size(options, memory.writeBufferSize)
        rocksdb_options_set_max_write_buffer_number(options, Int32(writeBuffers))
        rocksdb_options_set_memtable_prefix_bloom_size_ratio(options, memtableBloomShare)
        rocksdb_options_set_memtable_whole_key_filtering(options, 1)
        rocksdb_options_set_max_open_files(options, 256)
        rocksdb_options_set_level_compaction_dynamic_level_bytes(options, 1)
        rocksdb_options_set_compression(options, Int32(rocksdb_lz4_compression))
        rocksdb_options_increase_parallelism(options, 2)
        rocksdb_options_set_bytes_per_sync(options, 1 << 20)
        // A build with assertions, as Debian's, ends the process when it cannot write to its own journal on a full disk:
        // it gets none but the lines of the opening.
        rocksdb_options_set_info_log_level(options, Self.journalFatal)
        rocksdb_options_set_keep_log_file_num(options, 2)
        rocksdb_options_set_manifest_preallocation_size(options, manifestPreallocation)
        rocksdb_options_set_paranoid_checks(options, 1)
        return options
    }

    /// Indexes and filters of tables are cut into pieces as small as data blocks. Whole, they take up to a megabyte for
    /// each table: a cache smaller than the index then throws them out for data all the time, and most reads of one
    /// key read a megabyte.
    private static func tables(_ memory: IndexMemory) -> OpaquePointer? {
        let table = rocksdb_block_based_options_create()
        rocksdb_block_based_options_set_block_cache(table, memory.cache)
        rocksdb_block_based_options_set_cache_index_and_filter_blocks(table, 1)
        rocksdb_block_based_options_set_pin_top_level_index_and_filter(table, 1)
        rocksdb_block_based_options_set_index_type(
            table, Int32(rocksdb_block_based_table_index_type_two_level_index_search))
        rocksdb_block_based_options_set_partition_filters(table, 1)
        rocksdb_block_based_options_set_filter_policy(table, rocksdb_filterpolicy_create_bloom_full(bloomBitsPerKey))
        rocksdb_block_based_options_set_format_version(table, 5)
        return table
    }
}
