import ArgumentParser
import Foundation
import MetadataIndex
import Model
import Wire

/// Load, point reads, listing, opening and memory of an index.
struct IndexBenchmark: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "index", abstract: "Load, reads, listing, opening and memory of a metadata index.")

    @Option(help: "Where to work.") var directory = NSTemporaryDirectory()
    @Option(help: "Objects to load, in one bucket.") var objects = 1_000_000
    @Option(help: "Memory of the index, in MiB.") var memory = 256
    @Option(help: "Changes applied together.") var batch = 128

    private static let bucket = BucketID(high: 1, low: 2)

    func run() throws {
        let folder = try ScratchFolder(below: directory)
        defer { folder.remove() }
        let path = folder.path + "/index"
        let account = MemoryAccount(limitMebibytes: memory)
        do {
            let index = try MetadataIndex(path: path, memory: IndexMemory(limit: memory << 20))
            try load(index)
            show("load: " + account.text)
            try read(index, "after the load")
        }
        let memory = IndexMemory(limit: memory << 20)
        let (index, seconds) = try measured { try MetadataIndex(path: path, memory: memory) }
        show(String(format: "opening: %.3f s", seconds))
        try read(index, "after opening")
        show("in all: " + account.text + ", \(index.memoryUse)")
    }

    private func load(_ index: MetadataIndex) throws {
        var changes: [IndexChange] = []
        var position: UInt64 = 1 << 32
        // Uploads come in any order of names.
        let step = 7_368_787
        let busy = ProcessAccount.processSeconds
        let (_, seconds) = try measured {
            for number in 0..<objects {
                changes += Self.object((number &* step) % objects, position)
                position += 5000
                guard changes.count >= batch || number == objects - 1 else { continue }
                try index.apply(changes, checkpoint: position)
                changes.removeAll(keepingCapacity: true)
            }
            try index.flush()
        }
        let processor = (ProcessAccount.processSeconds - busy) / Double(objects) * 1e6
        show(
            String(
                format: "load: %.0f objects/s (%d in %.1f s), %.1f µs of CPU for each", Double(objects) / seconds,
                objects, seconds, processor))
    }

    private static func name(_ number: Int) -> Model.RegisterName {
        RegisterName(
            bucket: bucket, key: Array("photos/\(number / 5000)/image-\(number).jpg".utf8))
    }

    private static func object(_ number: Int, _ position: UInt64) -> [IndexChange] {
        let blob = BlobID(high: UInt64(number) &* 0x9e37_79b9_7f4a_7c15, low: UInt64(number))
        let tag = Ballot(counter: UInt64(number) + 1, writer: 7)
        let etag = "0123456789abcdef0123456789abcdef"
        let summary = ListingSummary(size: 4096, etag: etag, modifiedMilliseconds: 1_700_000_000_000)
        let record = ObjectRecord(
            version: 1, modifiedMilliseconds: 1_700_000_000_000, size: 4096, etag: etag,
            headers: [HeaderField(name: "content-type", value: "image/jpeg")],
            blobs: [BlobReference(id: blob.bytes, size: 4096, chunkSize: 0)], owner: "user")
        let value = RegisterValue(
            tag: tag, sequence: 1, recentOperations: [OperationID(high: 1, low: UInt64(number))],
            record: record.encoded(), summary: summary.encoded(), blobs: [blob], contentSize: 4096)
        return [
            .blob(
                BlobKey(blob), BlobLocation(position: position, recordSize: 4220, size: 4096, checksum: 1),
                owner: BlobOwner(name: name(number), tag: tag)),
            .register(name(number), IndexedRegister(value: value, position: position + 4224, recordSize: 400)),
        ]
    }

    private func read(_ index: MetadataIndex, _ when: String) throws {
        let hits = try measure(count: 200_000) {
            guard try index.register(Self.name(Int.random(in: 0..<objects))) != nil else {
                throw ValidationError("an object is missing")
            }
        }
        let again = Self.name(Int.random(in: 0..<objects))
        let cached = try measure(count: 200_000) { _ = try index.register(again) }
        let misses = try measure(count: 200_000) {
            _ = try index.register(Self.name(objects + Int.random(in: 0..<objects)))
        }
        let listing = try measure(count: 300) {
            let after = Self.name(Int.random(in: 0..<objects)).key
            _ = try index.list(IndexQuery(bucket: Self.bucket, after: after, limit: 1000))
        }
        show("\(when):")
        show("  get \(hits)")
        show("  get of one key \(cached)")
        show("  get of what is absent \(misses)")
        show("  listing of 1,000 \(listing)")
    }

    private func measure(count: Int, _ body: () throws -> Void) throws -> String {
        let before = ProcessAccount.deviceBytes
        let busy = ProcessAccount.threadSeconds
        let (_, seconds) = try measured { for _ in 0..<count { try body() } }
        let processor = ProcessAccount.threadSeconds - busy
        let kibibytes = (ProcessAccount.deviceBytes - before) / 1024
        return String(
            format: "%.1f µs (%.1f µs of CPU, %.1f KiB from the device)", seconds / Double(count) * 1e6,
            processor / Double(count) * 1e6, kibibytes / Double(count))
    }
}
