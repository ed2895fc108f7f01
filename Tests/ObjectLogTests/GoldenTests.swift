import Checksums
import Foundation
import ObjectLog
import Testing

/// The format on disks: the file is read by every later version, and written the same by this one.
@Suite struct GoldenTests {
    private static let owner = "martlet object log 1\nnode storage-1\ndisk 000102030405060708090a0b0c0d0e0f\n"
    private static let segmentSize = 8 << 10

    private static let entries =
        [
            LogEntry.text("no payload"), .text("a payload of 300 bytes", payload: 300), .text("", payload: 7),
            LogEntry(type: 9, head: Array(repeating: 0xc3, count: 200)),
        ] + (0..<20).map { .text("record \($0)", payload: 40 * $0) }

    private func directory() throws -> SimulatedDirectory {
        let directory = SimulatedDirectory()
        try directory.create("owner").put(Array(Self.owner.utf8))
        return directory
    }

    private var golden: [UInt8] {
        get throws {
            let url = try #require(
                Bundle.module.url(forResource: "segment-0000000001", withExtension: "log", subdirectory: "Golden"))
            return Array(try Data(contentsOf: url))
        }
    }

    /// Of the records in the golden file, as an independent reading of the format found them.
    private static let offsets: [UInt32] = [
        64, 128, 504, 560, 808, 864, 960, 1096, 1272, 1488, 1744, 2040, 2376, 2752, 3168, 3632, 4136, 4680, 5264, 5888,
    ]

    @Test("The golden file has not changed")
    func unchanged() throws {
        let golden = try golden
        #expect(golden.count == Self.segmentSize)
        #expect(crc32c(golden) == 0xe218_7ba4)
    }

    @Test("A segment is written byte for byte as the golden file")
    func written() throws {
        let directory = try directory()
        let open = try OpenLog(directory, segmentSize: Self.segmentSize)
        // Nobody waits for any but the last: all go in one batch, and nothing depends on the time.
        for entry in Self.entries { try open.log.append(entry, urgency: .lazy) }
        try open.write(.text("in the second segment", payload: 3000))
        open.log.stop()
        let bytes = try directory.open(segmentName(1)).whole(Self.segmentSize)
        if let path = ProcessInfo.processInfo.environment["MARTLET_GOLDEN_SEGMENT"] {
            try Data(bytes).write(to: URL(fileURLWithPath: path))
        }
        let golden = try golden
        #expect(bytes == golden)
    }

    @Test("The golden file is read, with and without its footer")
    func read() throws {
        for damaged in [false, true] {
            let directory = try directory()
            try directory.create(segmentName(1)).put(try golden)
            if damaged { directory.damage(segmentName(1), at: Self.segmentSize - 1) }
            let open = try OpenLog(directory, segmentSize: Self.segmentSize, starts: false)
            defer { open.log.stop() }
            let reader = try open.log.reader(of: 1)
            var records: [SegmentRecord] = []
            while case .record(let record)? = try reader.next() { records.append(record) }
            let expected = Self.entries.prefix(records.count)
            #expect(records.map(\.position.offset) == Self.offsets)
            #expect(records.map(\.head) == expected.map(\.head))
            #expect(records.map(\.type) == expected.map(\.type))
            #expect(records.map(\.payload) == expected.map(\.payload))
            #expect(records.allSatisfy { $0.payloadIntact })
            #expect(open.replayed.map(\.head) == records.map(\.head))
        }
    }
}
