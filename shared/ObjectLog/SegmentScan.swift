import Checksums
import Glibc

/// What one segment holds, found by reading all of it: records, and stretches that should be records but are not.
///
/// Where a record is expected and none is, the scan looks for the next one at every aligned offset. That cannot take
/// content for a record: checksums are seeded with the disk's id, which no client knows, and a header says its own position.
struct SegmentScan {
    struct Found: Equatable {
        var header: RecordHeader
        var payloadIntact: Bool
    }

    /// In the order of their positions.
    private(set) var records: [Found] = []
    /// Offsets where records are missing: not zero before the last record, or anything but zeros after it.
    private(set) var gaps: [Range<Int>] = []
    /// Where the next record would go if nothing is wrong.
    private(set) var end = SegmentFile.headerSize

    var isEmpty: Bool { records.isEmpty && gaps.isEmpty }

    init(_ bytes: UnsafeRawBufferPointer, segment: UInt32, seed: UInt32) {
        var offset = SegmentFile.headerSize
        while offset + RecordHeader.size <= bytes.count {
            if let found = Self.record(in: bytes, at: offset, segment: segment, seed: seed) {
                records.append(found)
                offset += found.header.alignedSize
                end = min(offset, bytes.count)
                continue
            }
            guard let next = Self.next(in: bytes, after: offset, segment: segment, seed: seed) else { break }
            gaps.append(offset..<next)
            offset = next
        }
        if end < bytes.count, let last = Self.lastNonZero(in: bytes, from: end) { gaps.append(end..<last + 1) }
    }

    private static func record(in bytes: UnsafeRawBufferPointer, at offset: Int, segment: UInt32, seed: UInt32)
        -> Found?
    {
        let rest = UnsafeRawBufferPointer(rebasing: bytes[offset...])
        let position = LogPosition(segment: segment, offset: UInt32(offset))
        guard let header = RecordHeader(rest, at: position, seed: seed) else { return nil }
        guard header.recordSize <= rest.count else { return Found(header: header, payloadIntact: false) }
        let payload = rest[RecordHeader.size + header.headLength..<header.recordSize]
        let intact = crc32c(UnsafeRawBufferPointer(rebasing: payload)) == header.payloadChecksum
        return Found(header: header, payloadIntact: intact)
    }

    private static func next(in bytes: UnsafeRawBufferPointer, after start: Int, segment: UInt32, seed: UInt32) -> Int?
    {
        var offset = start + RecordHeader.alignment
        while offset + RecordHeader.size <= bytes.count {
            // Most of what is skipped is zeros.
            guard let found = memchr(bytes.baseAddress! + offset, magicByte, bytes.count - offset) else { return nil }
            let place = UnsafeRawPointer(found) - bytes.baseAddress!
            if place % RecordHeader.alignment == 0, place + RecordHeader.size <= bytes.count,
                bytes.number(at: place, UInt32.self) == RecordHeader.magic,
                record(in: bytes, at: place, segment: segment, seed: seed) != nil
            {
                return place
            }
            offset = RecordHeader.aligned(place + 1)
        }
        return nil
    }

    private static let magicByte = Int32(RecordHeader.magic & 0xff)

    private static func lastNonZero(in bytes: UnsafeRawBufferPointer, from start: Int) -> Int? {
        var offset = bytes.count
        while offset > start {
            let count = min(zeros.count, offset - start)
            guard memcmp(bytes.baseAddress! + offset - count, zeros, count) == 0 else { break }
            offset -= count
        }
        while offset > start, bytes[offset - 1] == 0 { offset -= 1 }
        return offset > start ? offset - 1 : nil
    }

    private static let zeros = [UInt8](repeating: 0, count: 4096)

    /// The largest position known to have been synced, by what later records say.
    var durable: LogPosition { records.map(\.header.durable).max() ?? .start }

    /// Drops everything from an offset on: a write that a crash interrupted.
    mutating func cut(at offset: Int) {
        records.removeAll { Int($0.header.position.offset) >= offset }
        gaps.removeAll { $0.lowerBound >= offset }
        end = offset
    }

    /// Where the interrupted write begins: the first thing that is not whole and that no record says was synced.
    func tornFrom(segment: UInt32) -> Int? {
        let durable = durable
        func mayBeTorn(_ offset: Int) -> Bool { LogPosition(segment: segment, offset: UInt32(offset)) >= durable }
        let torn = records.first { !$0.payloadIntact && mayBeTorn(Int($0.header.position.offset)) }
        let offsets = [
            torn.map { Int($0.header.position.offset) }, gaps.first { mayBeTorn($0.lowerBound) }?.lowerBound,
        ]
        return offsets.compactMap { $0 }.min()
    }
}
