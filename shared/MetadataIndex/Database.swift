import CRocksDB
import Glibc
import Model

/// A thin layer over RocksDB's C functions: one key space, no write-ahead log.
///
/// There is one column family on purpose. Without RocksDB's own log, what a crash leaves is what was flushed; several
/// families are flushed at different times, and then a checkpoint could survive without what it vouches for.
final class Database: @unchecked Sendable {
    private let handle: OpaquePointer
    private let memory: IndexMemory
    private let readOptions = rocksdb_readoptions_create()
    private let cacheOptions = rocksdb_readoptions_create()
    /// Memtables and the block cache only (`ReadTier` in RocksDB's `options.h`).
    private static let blockCacheTier: Int32 = 1
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
        rocksdb_readoptions_set_read_tier(cacheOptions, Self.blockCacheTier)
    }

    deinit {
        rocksdb_close(handle)
        rocksdb_readoptions_destroy(readOptions)
        rocksdb_readoptions_destroy(cacheOptions)
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
        try get(key, readOptions, body)
    }

    /// The same without waiting for the device.
    func cached<R>(_ key: [UInt8], _ body: (UnsafeRawBufferPointer) -> R) -> CacheLookup<R> {
        do throws(IndexError) {
            return try get(key, cacheOptions, body).map { .hit($0) } ?? .absent
        } catch {
            return .miss
        }
    }

    private func get<R>(
        _ key: [UInt8], _ options: OpaquePointer?, _ body: (UnsafeRawBufferPointer) -> R
    ) throws(IndexError) -> R? {
        let slice = try Self.checked { message in
            key.withUnsafeBytes {
                rocksdb_get_pinned(
                    handle, options, $0.baseAddress?.assumingMemoryBound(to: CChar.self), $0.count, message)
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
    func scan(
        from start: [UInt8], below bound: [UInt8], _ direction: ListDirection = .forward
    ) -> DatabaseScan {
        DatabaseScan(handle, from: start, below: bound, direction)
    }

    /// Visits entries from `start` on below `bound`, in order or backwards. The body says what comes next.
    func scan(
        from start: [UInt8], below bound: [UInt8], _ direction: ListDirection = .forward,
        _ body: (ScanStep) throws -> ScanNext
    ) throws {
        let scan = scan(from: start, below: bound, direction)
        try scan.visit(body)
    }

    fileprivate static func check(
        _ call: (UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>) -> Void
    ) throws(IndexError) { try checked(call) }
}

/// A snapshot of a range of keys. Used by one thread.
final class DatabaseScan: @unchecked Sendable {
    private let options = rocksdb_readoptions_create()
    /// RocksDB keeps pointers to both.
    private let lower: UnsafeMutableBufferPointer<CChar>
    private let upper: UnsafeMutableBufferPointer<CChar>
    private let iterator: OpaquePointer
    private let direction: ListDirection
    /// Where it begins.
    private let start: [UInt8]

    fileprivate init(_ handle: OpaquePointer, from start: [UInt8], below bound: [UInt8], _ direction: ListDirection) {
        self.direction = direction
        self.start = direction == .forward ? start : bound
        lower = Self.copy(start)
        upper = Self.copy(bound)
        rocksdb_readoptions_set_iterate_lower_bound(options, lower.baseAddress, lower.count)
        rocksdb_readoptions_set_iterate_upper_bound(options, upper.baseAddress, upper.count)
        guard let iterator = rocksdb_create_iterator(handle, options) else {
            preconditionFailure("rocksdb_create_iterator always returns one")
        }
        self.iterator = iterator
    }

    deinit {
        rocksdb_iter_destroy(iterator)
        rocksdb_readoptions_destroy(options)
        lower.deallocate()
        upper.deallocate()
    }

    private static func copy(_ key: [UInt8]) -> UnsafeMutableBufferPointer<CChar> {
        let copy = UnsafeMutableBufferPointer<CChar>.allocate(capacity: key.count)
        _ = copy.initialize(from: key.map { CChar(bitPattern: $0) })
        return copy
    }

    func visit(_ body: (ScanStep) throws -> ScanNext) throws {
        seek(start)
        visiting: while rocksdb_iter_valid(iterator) != 0 {
            switch try body(ScanStep(iterator: iterator)) {
            case .next: step()
            case .seek(let key): seek(key)
            case .stop: break visiting
            }
        }
        try Database.check { rocksdb_iter_get_error(iterator, $0) }
    }

    private func step() {
        switch direction {
        case .forward: rocksdb_iter_next(iterator)
        case .backward: rocksdb_iter_prev(iterator)
        }
    }

    private func seek(_ key: [UInt8]) {
        key.withUnsafeBytes { bytes in
            let start = bytes.baseAddress?.assumingMemoryBound(to: CChar.self)
            switch direction {
            case .forward: rocksdb_iter_seek(iterator, start, bytes.count)
            case .backward:
                rocksdb_iter_seek_for_prev(iterator, start, bytes.count)
                if rocksdb_iter_valid(iterator) != 0, ScanStep(iterator: iterator).key.elementsEqual(bytes) { step() }
            }
        }
    }
}

/// What memory tells about a key.
public enum CacheLookup<Value> {
    case hit(Value)
    /// There is nothing under this key.
    case absent
    /// Only the device can tell, or something is wrong.
    case miss
}

enum ScanNext {
    case next
    /// Goes on at the first key that is not below this one; backwards at the last one that is below.
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
