import CRocksDB
import Glibc

/// A thin layer over RocksDB's C functions: one key space, no write-ahead log.
///
/// There is one column family on purpose. Without RocksDB's own log, what a crash leaves is what was flushed; several
/// families are flushed at different times, and then a checkpoint could survive without what it vouches for.
final class Database: @unchecked Sendable {
    private let handle: OpaquePointer
    private let memory: IndexMemory
    private let readOptions = rocksdb_readoptions_create()
    private let writeOptions = rocksdb_writeoptions_create()
    private let flushOptions = rocksdb_flushoptions_create()

    /// RocksDB begins a new manifest whenever it is opened. A build with assertions, as Debian's, ends the process when
    /// writing a manifest fails: so it must not be tried without room.
    private static let roomMin: UInt64 = 8 << 20

    static func hasRoom(_ path: String, times: UInt64 = 1) -> Bool {
        var status = statvfs()
        guard statvfs(path, &status) == 0 else { return true }
        return UInt64(status.f_bavail) * UInt64(status.f_frsize) >= roomMin * times
    }

    init(path: String, memory: IndexMemory) throws(IndexError) {
        guard Self.hasRoom(path) else {
            throw IndexError(.noSpace, "No space left on device: \(path) needs \(Self.roomMin) bytes to be opened")
        }
        self.memory = memory
        let options = DatabaseOptions.create(memory)
        defer { rocksdb_options_destroy(options) }
        handle = try Self.checked { rocksdb_open(options, path, $0) }!
        rocksdb_writeoptions_disable_WAL(writeOptions, 1)
        rocksdb_flushoptions_set_wait(flushOptions, 1)
    }

    deinit {
        rocksdb_close(handle)
        rocksdb_readoptions_destroy(readOptions)
        rocksdb_writeoptions_destroy(writeOptions)
        rocksdb_flushoptions_destroy(flushOptions)
    }

    private static func checked<R>(
        _ call: (UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>) -> R
    ) throws(IndexError) -> R {
        var message: UnsafeMutablePointer<CChar>?
        let result = call(&message)
        if let message {
            defer { rocksdb_free(message) }
            throw IndexError(String(cString: message))
        }
        return result
    }

    /// Calls `body` with the value of a key, in place. nil: there is none.
    func get<R>(_ key: [UInt8], _ body: (UnsafeRawBufferPointer) -> R) throws(IndexError) -> R? {
        let slice = try Self.checked { message in
            key.withUnsafeBytes {
                rocksdb_get_pinned(
                    handle, readOptions, $0.baseAddress?.assumingMemoryBound(to: CChar.self), $0.count, message)
            }
        }
        guard let slice else { return nil }
        defer { rocksdb_pinnableslice_destroy(slice) }
        var size = 0
        let value = rocksdb_pinnableslice_value(slice, &size)
        return body(UnsafeRawBufferPointer(start: value, count: size))
    }

    func write(_ batch: DatabaseBatch) throws(IndexError) {
        try Self.checked { rocksdb_write(handle, writeOptions, batch.handle, $0) }
    }

    /// Makes everything written so far durable. Blocks.
    func flush() throws(IndexError) {
        try Self.checked { rocksdb_flush(handle, flushOptions, $0) }
    }

    var memoryUse: IndexMemoryUse {
        let consumers = rocksdb_memory_consumers_create()
        defer { rocksdb_memory_consumers_destroy(consumers) }
        rocksdb_memory_consumers_add_db(consumers, handle)
        rocksdb_memory_consumers_add_cache(consumers, memory.cache)
        guard let use = try? Self.checked({ rocksdb_approximate_memory_usage_create(consumers, $0) }) else {
            return IndexMemoryUse(writeBuffers: 0, tables: 0, cache: memory.cached)
        }
        defer { rocksdb_approximate_memory_usage_destroy(use) }
        return IndexMemoryUse(
            writeBuffers: Int(clamping: rocksdb_approximate_memory_usage_get_mem_table_total(use)),
            tables: Int(clamping: rocksdb_approximate_memory_usage_get_mem_table_readers_total(use)),
            cache: memory.cached)
    }

    /// A view of the entries from `start` on, below `bound`, as they are now.
    func scan(from start: [UInt8], below bound: [UInt8]) -> DatabaseScan {
        DatabaseScan(handle, from: start, below: bound)
    }

    /// Visits entries from `start` on, in order, below `bound`. The body says what comes next.
    func scan(from start: [UInt8], below bound: [UInt8], _ body: (ScanStep) throws -> ScanNext) throws {
        let scan = scan(from: start, below: bound)
        try scan.visit(body)
    }

    fileprivate static func check(
        _ call: (UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>) -> Void
    ) throws(IndexError) { try checked(call) }
}

/// A snapshot of a range of keys. Used by one thread.
final class DatabaseScan: @unchecked Sendable {
    private let options = rocksdb_readoptions_create()
    /// RocksDB keeps a pointer to it.
    private let bound: UnsafeMutableBufferPointer<CChar>
    private let iterator: OpaquePointer
    private let start: [UInt8]

    fileprivate init(_ handle: OpaquePointer, from start: [UInt8], below bound: [UInt8]) {
        self.start = start
        self.bound = .allocate(capacity: bound.count)
        _ = self.bound.initialize(from: bound.map { CChar(bitPattern: $0) })
        rocksdb_readoptions_set_iterate_upper_bound(options, self.bound.baseAddress, bound.count)
        guard let iterator = rocksdb_create_iterator(handle, options) else {
            preconditionFailure("rocksdb_create_iterator always returns one")
        }
        self.iterator = iterator
    }

    deinit {
        rocksdb_iter_destroy(iterator)
        rocksdb_readoptions_destroy(options)
        bound.deallocate()
    }

    func visit(_ body: (ScanStep) throws -> ScanNext) throws {
        seek(start)
        visiting: while rocksdb_iter_valid(iterator) != 0 {
            switch try body(ScanStep(iterator: iterator)) {
            case .next: rocksdb_iter_next(iterator)
            case .seek(let key): seek(key)
            case .stop: break visiting
            }
        }
        try Database.check { rocksdb_iter_get_error(iterator, $0) }
    }

    private func seek(_ key: [UInt8]) {
        key.withUnsafeBytes {
            rocksdb_iter_seek(iterator, $0.baseAddress?.assumingMemoryBound(to: CChar.self), $0.count)
        }
    }
}

enum ScanNext {
    case next
    /// Goes on at the first key that is not below this one.
    case seek([UInt8])
    case stop
}

/// The entry that a scan stands on; valid until the body returns.
struct ScanStep {
    fileprivate let iterator: OpaquePointer

    var key: UnsafeRawBufferPointer {
        var size = 0
        let key = rocksdb_iter_key(iterator, &size)
        return UnsafeRawBufferPointer(start: key, count: size)
    }

    var value: UnsafeRawBufferPointer {
        var size = 0
        let value = rocksdb_iter_value(iterator, &size)
        return UnsafeRawBufferPointer(start: value, count: size)
    }
}

/// Changes that take effect together. Used by one thread at a time.
final class DatabaseBatch: @unchecked Sendable {
    fileprivate let handle = rocksdb_writebatch_create()

    deinit { rocksdb_writebatch_destroy(handle) }

    func put(_ key: [UInt8], _ value: [UInt8]) {
        key.withUnsafeBytes { key in
            value.withUnsafeBytes { value in
                rocksdb_writebatch_put(
                    handle, key.baseAddress?.assumingMemoryBound(to: CChar.self), key.count,
                    value.baseAddress?.assumingMemoryBound(to: CChar.self), value.count)
            }
        }
    }

    func delete(_ key: [UInt8]) {
        key.withUnsafeBytes {
            rocksdb_writebatch_delete(handle, $0.baseAddress?.assumingMemoryBound(to: CChar.self), $0.count)
        }
    }
}
