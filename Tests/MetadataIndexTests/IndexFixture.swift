import Foundation
import Model

@testable import MetadataIndex

/// An index in a temporary directory.
final class IndexFixture {
    let path = NSTemporaryDirectory() + "index-" + UUID().uuidString
    private var opened: MetadataIndex?
    var index: MetadataIndex { opened! }
    private var survivors: [(path: String, index: MetadataIndex)] = []
    private var position: UInt64 = 0
    static let memory = IndexMemory(limit: 16 << 20)

    init() throws { opened = try MetadataIndex(path: path, memory: Self.memory) }

    /// An index is closed with its last owner, and writes then what it has in memory.
    deinit {
        let paths = [path] + survivors.map(\.path)
        opened = nil
        survivors = []
        for path in paths { try? FileManager.default.removeItem(atPath: path) }
    }

    @discardableResult
    func apply(_ changes: IndexChange...) throws -> AppliedChanges {
        position += 1000
        return try index.apply(changes, checkpoint: position)
    }

    /// What a crash leaves: what was flushed. (The index must not be used by anybody else.)
    func copyAsAfterCrash(memory: IndexMemory = IndexFixture.memory) throws -> MetadataIndex {
        let copy = path + "-copy-" + UUID().uuidString
        try copyFiles(to: copy)
        try? FileManager.default.removeItem(atPath: copy + "/LOCK")
        let survivor = try MetadataIndex(path: copy, memory: memory)
        survivors.append((copy, survivor))
        return survivor
    }

    /// Again when RocksDB has removed a file meanwhile, which it may do at any time.
    private func copyFiles(to copy: String) throws {
        for attempt in 1... {
            do { return try FileManager.default.copyItem(atPath: path, toPath: copy) } catch {
                try? FileManager.default.removeItem(atPath: copy)
                if attempt == 10 { throw error }
            }
        }
    }
}

let bucket = BucketID(high: 7, low: 9)

func name(_ key: String, in bucket: BucketID = bucket) -> RegisterName {
    RegisterName(bucket: bucket, key: Array(key.utf8))
}

extension IndexedRegister {
    static func sample(
        _ counter: UInt64, size: UInt64 = 10, deleted: Bool = false, blobs: [BlobID] = [], recordSize: UInt32 = 100
    ) -> IndexedRegister {
        IndexedRegister(
            value: RegisterValue(
                tag: Ballot(counter: counter, writer: 1), sequence: counter,
                recentOperations: [OperationID(high: counter, low: 5)], isTombstone: deleted, record: [1, 2, 3],
                summary: [4, 5], blobs: blobs, contentSize: deleted ? 0 : size),
            position: counter * 64, recordSize: recordSize)
    }
}

extension IndexEntry {
    /// "key" or "prefix/…".
    var text: String {
        let key = String(decoding: key, as: UTF8.self)
        if case .commonPrefix = self { return key + "…" }
        return key
    }
}
