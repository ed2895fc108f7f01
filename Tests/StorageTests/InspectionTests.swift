import Foundation
import Logging
import MetadataIndex
import Model
import ObjectLog
import Observability
import Testing

@testable import Storage

/// `martlet-storage inspect` on a real directory.
@Suite struct InspectionTests {
    private let path = NSTemporaryDirectory() + "inspect-" + UUID().uuidString

    /// Two segments of objects and a bit.
    private func fill() throws {
        let options = DiskOptions(node: "storage-1", segmentSize: 4 << 20, memory: IndexMemory(limit: 16 << 20))
        let disk = try DiskReplica.open(
            path: path, options: options, staged: StagedBlobs(sizeMax: 8 << 20),
            metrics: StorageMetrics(MetricsRegistry()),
            logger: Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() }))
        let content = String(repeating: "x", count: 90_000)
        for number in UInt64(1)...100 {
            let blob = BlobPayload("\(number) " + content, id: number)
            _ = try Pending.of {
                disk.commit(name("key \(number)"), ReplicaState.sample(number, blobs: [blob.id]), blob: blob, $0)
            }
        }
        disk.stop()
    }

    private func inspect() throws -> LogInspection { try LogInspection(RealDirectory(path + "/log")) }

    private func verified() throws -> LogVerification {
        let log = try inspect()
        var found = LogVerification(log)
        try found.verify(log) { _, _ in }
        return found
    }

    private func files() throws -> [String: Data] {
        let names = try FileManager.default.contentsOfDirectory(atPath: path + "/log")
        return try Dictionary(
            uniqueKeysWithValues: names.map { ($0, try Data(contentsOf: URL(fileURLWithPath: path + "/log/" + $0))) })
    }

    private func flip(segment: Int, at offset: Int) throws {
        let url = URL(fileURLWithPath: path + "/log/segment-000000000\(segment).log")
        var bytes = try Data(contentsOf: url)
        bytes[offset] ^= 0xff
        try bytes.write(to: url)
    }

    @Test("A healthy log is found healthy, with its records, and nothing is changed")
    func healthy() throws {
        defer { try? FileManager.default.removeItem(atPath: path) }
        try fill()
        let before = try files()
        let found = try verified()
        #expect(found.isHealthy)
        #expect(found.node == "storage-1")
        #expect(found.segments.map(\.state).prefix(3) == ["sealed", "sealed", "open"])
        // A blob and a register each, and a ceiling at least.
        #expect(found.segments.compactMap(\.records).reduce(0, +) >= 201)
        #expect(found.interruptedAt == nil)
        #expect(try files() == before)
    }

    @Test("A changed byte is found, and whose it is")
    func damaged() throws {
        defer { try? FileManager.default.removeItem(atPath: path) }
        try fill()
        try flip(segment: 1, at: 1 << 20)
        let found = try verified()
        #expect(!found.isHealthy)
        #expect(found.damages.map(\.kind) == ["payload"])
        #expect(found.damages.first?.what?.contains("type=blob") == true)
        #expect(found.damages.first?.what?.contains("key=\"key ") == true)
        #expect(InspectCommand.text(found).contains("DAMAGE payload at 1:"))
    }

    @Test("What an interrupted write left at the end is told and is no damage; a lost segment is")
    func ends() throws {
        defer { try? FileManager.default.removeItem(atPath: path) }
        try fill()
        let last = try verified().segments.last { $0.state == "open" }!
        let reader = try inspect().reader(of: last.number)
        var end = 64
        while case .record(let record)? = try reader.next() { end = Int(record.end.offset) }
        try flip(segment: Int(last.number), at: end + 1000)
        let torn = try verified()
        #expect(torn.isHealthy)
        #expect(torn.interruptedAt != nil)
        try FileManager.default.removeItem(atPath: path + "/log/segment-0000000001.log")
        #expect(try verified().damages.map(\.kind) == ["lostSegment"])
    }

    @Test("A directory that is no log is refused")
    func foreign() throws {
        defer { try? FileManager.default.removeItem(atPath: path) }
        try FileManager.default.createDirectory(atPath: path + "/log", withIntermediateDirectories: true)
        #expect(throws: ObjectLogError.self) { try inspect() }
    }
}
