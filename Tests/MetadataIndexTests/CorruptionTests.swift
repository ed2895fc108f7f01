import Foundation
import Model
import Testing

@testable import MetadataIndex

/// What is wrong with the files of an index is found, and called corruption: then the index is made anew from the log.
@Suite struct CorruptionTests {
    private let path = NSTemporaryDirectory() + "index-corruption-" + UUID().uuidString
    private let memory = IndexMemory(limit: 16 << 20)
    private let disk = DiskID(high: 1, low: 2)

    private func open() throws -> MetadataIndex { try MetadataIndex(path: path, memory: memory, disk: disk) }

    /// An index of 2,000 registers on the disk, closed.
    private func make() throws {
        try? FileManager.default.removeItem(atPath: path)
        let index = try open()
        for number in UInt64(1)...2000 {
            try index.apply(
                [.register(name("key \(number)"), .sample(number, blobs: [BlobID(high: 9, low: number)]))],
                checkpoint: number)
        }
        try index.flush()
    }

    private func files(_ suffix: (String) -> Bool) throws -> [String] {
        try FileManager.default.contentsOfDirectory(atPath: path).filter(suffix).map { path + "/" + $0 }
    }

    private var tables: [String] { get throws { try files { $0.hasSuffix(".sst") } } }
    private var manifests: [String] { get throws { try files { $0.hasPrefix("MANIFEST") } } }

    private func change(_ file: String, _ body: (inout Data) -> Void) throws {
        var data = try Data(contentsOf: URL(fileURLWithPath: file))
        body(&data)
        try data.write(to: URL(fileURLWithPath: file))
    }

    private func isCorruption(_ body: () throws -> Void) -> Bool {
        do {
            try body()
            return false
        } catch { return (error as? IndexError)?.isCorruption ?? false }
    }

    private func cleanUp() { try? FileManager.default.removeItem(atPath: path) }

    @Test("Missing, shortened and foreign files are found when the index is opened")
    func atOpening() throws {
        defer { cleanUp() }
        let faults: [(String, () throws -> Void)] = [
            ("table missing", { try FileManager.default.removeItem(atPath: tables[0]) }),
            ("table shortened", { try change(tables[0]) { $0.removeLast(100) } }),
            ("manifest missing", { try FileManager.default.removeItem(atPath: manifests[0]) }),
            ("manifest overwritten", { try change(manifests[0]) { $0 = Data(repeating: 7, count: $0.count) } }),
            ("CURRENT missing", { try FileManager.default.removeItem(atPath: path + "/CURRENT") }),
            ("CURRENT overwritten", { try change(path + "/CURRENT") { $0 = Data("nonsense\n".utf8) } }),
        ]
        for (fault, damage) in faults {
            try make()
            try damage()
            #expect(isCorruption { _ = try open() }, "\(fault)")
        }
    }

    @Test("A flipped bit is found when the index is opened or read, and never shows anything else")
    func flippedBits() throws {
        defer { cleanUp() }
        var found = 0
        var random = SeededGenerator(state: 11)
        for _ in 0..<30 {
            try make()
            try change(tables[0]) { data in
                let offset = Int.random(in: 0..<data.count, using: &random)
                data[data.startIndex + offset] ^= 1 << UInt8.random(in: 0..<8, using: &random)
            }
            let isFound = isCorruption {
                let index = try open()
                for number in UInt64(1)...2000 {
                    #expect(try index.register(name("key \(number)"))?.value.tag.counter == number)
                }
                _ = try index.list(IndexQuery(bucket: bucket, limit: 3000))
            }
            if isFound { found += 1 }
        }
        // Some bits are in padding or in statistics that nobody needs.
        #expect(found > 20)
    }

    @Test("The index of another log, or of another version, is refused")
    func foreign() throws {
        defer { cleanUp() }
        try make()
        #expect(isCorruption { _ = try MetadataIndex(path: path, memory: memory, disk: DiskID(high: 1, low: 3)) })
        #expect(try open().checkpoint == 2000)
        do {
            let database = try Database(path: path, memory: memory)
            let batch = DatabaseBatch()
            batch.put(IndexKeys.format, [1] + disk.bytes)
            try database.write(batch)
        }
        #expect(isCorruption { _ = try open() })
    }

    @Test("An index that somebody has open is not called corrupt")
    func locked() throws {
        defer { cleanUp() }
        try make()
        let index = try open()
        do {
            _ = try open()
            Issue.record("opened twice")
        } catch { #expect((error as? IndexError)?.kind == .locked, "\(error)") }
        #expect(index.checkpoint == 2000)
    }
}
