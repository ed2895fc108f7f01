import Foundation
import Logging
import MetadataIndex
import Model
import ObjectLog
import Observability
import Register
import Ring
import Synchronization
import Testing

@testable import Storage

/// Simulated directories by path, made when they are asked for.
private final class Directories: Sendable {
    private let known = Mutex<[String: SimulatedDirectory]>([:])

    func withLock<R>(_ body: (inout [String: SimulatedDirectory]) throws -> sending R) rethrows -> sending R {
        try known.withLock { known in try body(&known) }
    }

    func directory(_ path: String) -> SimulatedDirectory {
        known.withLock { known in
            if let directory = known[path] { return directory }
            let made = SimulatedDirectory()
            known[path] = made
            return made
        }
    }
}

/// A node with several disks, whose logs and disks.json are simulated; its indexes are in a temporary directory.
final class NodeFixture {
    let path = NSTemporaryDirectory() + "node-" + UUID().uuidString
    private let directories = Directories()
    private var opened: StorageEngine?
    var engine: StorageEngine { opened! }
    private(set) var configured: [String] = []

    init(disks: Int = 2) throws {
        configured = (1...disks).map { "\(path)/disk-\($0)" }
        try open()
    }

    /// The same node another time: what `other` had on its disks, without its memory. `other` is stopped.
    init(copyOf other: NodeFixture) throws {
        configured = other.configured.map { $0.replacing(other.path, with: path) }
        var generator = SystemRandomNumberGenerator()
        let copies = other.directories.withLock { directories in
            Dictionary(
                uniqueKeysWithValues: directories.map { name, directory in
                    (name.replacing(other.path, with: path), directory.afterCrash(.kept, using: &generator))
                })
        }
        // The table names its disks.
        for (name, directory) in copies where name == path {
            let text = String(
                decoding: try directory.open("disks.json").read(count: 1 << 20, at: 0), as: UTF8.self
            ).split(separator: "\n")[0].replacing(other.path, with: path)
            let table = try JSONDecoder().decode(DiskTable.self, from: Data(text.utf8))
            try DiskTableFile(directory: directory).store(table)
        }
        directories.withLock { $0 = copies }
        try open()
    }

    deinit {
        stop()
        try? FileManager.default.removeItem(atPath: path)
    }

    func disk(_ number: Int) -> String { "\(path)/disk-\(number)" }

    /// Of the log of a disk; nil: of disks.json.
    func files(_ disk: Int?) -> SimulatedDirectory { directory(disk.map { self.disk($0) + "/log" } ?? path) }

    private func directory(_ path: String) -> SimulatedDirectory { directories.directory(path) }

    func open() throws {
        var options = StorageEngine.Options(node: "storage-1", dataDirectory: path, disks: configured)
        options.segmentSize = 4 << 20
        options.indexMemory = 16 << 20
        options.isSimulated = true
        options.logDirectory = { [directories] path in directories.directory(path) }
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
        opened = try StorageEngine(
            options, metrics: MetricsRegistry(),
            logger: Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() }))
    }

    func stop() {
        opened?.stop()
        opened = nil
    }

    /// What a power cut leaves, with or without the indexes.
    func crash(_ loss: SimulatedDirectory.Loss, losingIndexes: Bool) throws {
        stop()
        var generator = SystemRandomNumberGenerator()
        directories.withLock { directories in
            for (name, directory) in directories { directories[name] = directory.afterCrash(loss, using: &generator) }
        }
        if losingIndexes {
            for name in directories.withLock({ Array($0.keys) }) where name != path {
                try? FileManager.default.removeItem(atPath: String(name.dropLast(4)) + "/index")
            }
        }
        try open()
    }

    /// The disk has nothing any more.
    func wipe(_ number: Int) {
        directories.withLock { $0[disk(number) + "/log"] = nil }
        try? FileManager.default.removeItem(atPath: disk(number))
    }

    /// Takes the files of a disk away; nil: disks.json.
    func take(_ number: Int?) -> SimulatedDirectory {
        directories.withLock { $0.removeValue(forKey: number.map { disk($0) + "/log" } ?? path)! }
    }

    func give(_ files: SimulatedDirectory, _ number: Int?) {
        directories.withLock { $0[number.map { disk($0) + "/log" } ?? path] = files }
    }

    func configure(disks: Int) { configured = (1...disks).map { disk($0) } }

    // MARK: - Slots

    /// Moves everything that is to be moved.
    func moveAll() throws { while try engine.mover.step() {} }

    var owners: [Int] { engine.set.table.slots }

    // MARK: - Requests that wait for their answer

    func put(_ key: String, _ counter: UInt64, _ text: String? = nil) throws {
        let blob = text.map { BlobPayload($0, id: counter) }
        let result = try Pending.of {
            engine.commit(name(key), .sample(counter, blobs: blob.map { [$0.id] } ?? []), blob: blob, $0)
        }
        #expect(result.outcome == .accepted)
    }

    func read(_ key: String) throws -> ReadResult {
        try Pending.of { engine.read(name(key), withBlob: true, $0) }
    }

    static func chunk(_ number: UInt64) -> (name: ChunkName, content: CheckedBytes) {
        (ChunkName(blob: BlobID(high: 8, low: number), index: 1), BlobPayload("chunk \(number)", id: 0).content)
    }

    func putChunk(_ number: UInt64) throws {
        let chunk = Self.chunk(number)
        #expect(try Pending.of { engine.putChunk(chunk.name, chunk.content, $0) } == false)
    }
}

/// Registers and chunks on a node, and whether all of them are there.
struct NodeContent {
    var keys: [String: UInt64] = [:]
    var chunks: Set<UInt64> = []

    mutating func write(to node: NodeFixture, keys count: Int, from first: UInt64 = 1) throws {
        for number in first..<first + UInt64(count) {
            try node.put("key \(number)", number, "content \(number)")
            keys["key \(number)"] = number
            if number % 3 == 0 {
                try node.putChunk(number)
                chunks.insert(number)
            }
        }
    }

    /// Everything can be read, stands once in the listing, and is told once to who compares replicas.
    func verify(on node: NodeFixture) throws {
        for (key, counter) in keys {
            let answer = try node.read(key)
            #expect(answer.state?.tag == ballot(counter), "\(key)")
            #expect(answer.blob?.content == BlobPayload("content \(counter)", id: 0).content, "\(key)")
        }
        for number in chunks {
            let chunk = NodeFixture.chunk(number)
            #expect(try node.engine.chunk(chunk.name).content == chunk.content)
        }
        let page = try node.engine.list(IndexQuery(bucket: name("").bucket, limit: 100_000))
        #expect(page.entries.map { String(decoding: $0.key, as: UTF8.self) } == keys.keys.sorted())
        let digests = try node.engine.digests(Self.ring)
        #expect(digests.reduce(0) { $0 + Int($1.registerCount) } == keys.count)
        #expect(digests.reduce(0) { $0 + Int($1.chunkCount) } == chunks.count)
        #expect(digests == (try Self.scratch(node)), "digests that were kept differ from ones made anew")
        let listed = try node.engine.registers(ofPartitions: Set(0..<8), ring: Self.ring, after: nil, limit: 100_000)
        #expect(listed.entries.count == keys.count)
    }

    static let ring = RingTable(
        epoch: 1, hashKey: Array(0..<16), partitions: Array(repeating: .init(current: ["storage-1"]), count: 8))!

    private static func scratch(_ node: NodeFixture) throws -> [PartitionDigests.Digest] {
        let scheme = PartitionScheme(ring: ring)
        var digests = scheme.empty
        let registers = try node.engine.registers(ofPartitions: Set(0..<8), ring: ring, after: nil, limit: 100_000)
        for (name, tag, _) in registers.entries { scheme.add(name, tag, to: &digests) }
        let chunks = try node.engine.chunks(ofPartitions: Set(0..<8), ring: ring, after: nil, limit: 100_000)
        for chunk in chunks.entries { scheme.add(chunk, to: &digests) }
        return digests
    }
}
