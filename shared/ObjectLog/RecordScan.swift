import Checksums
import Glibc

/// Walks over the records of one segment, window by window.
///
/// Where a record is expected and none is, it looks for the next one at every aligned offset. That cannot take content
/// for a record: checksums are seeded with the disk's id, which no client knows, and a header says its own position.
struct RecordScan {
    enum Step: Equatable {
        case record(RecordHeader, payloadIntact: Bool)
        /// Offsets where records are missing, before the next one.
        case gap(Range<Int>)
    }

    let window: SegmentWindow
    /// Where records end at the latest.
    let limit: Int
    private let seed: UInt32
    private(set) var offset: Int

    init(_ window: SegmentWindow, seed: UInt32, from offset: Int = SegmentFile.headerSize, limit: Int? = nil) {
        self.window = window
        self.seed = seed
        self.offset = offset
        self.limit = limit ?? window.segment.recordLimit
    }

    /// nil: no record stands at `offset` or later.
    mutating func next(verifyingPayload: Bool = true) throws(FileError) -> Step? {
        if let header = try header(at: offset) {
            let intact = verifyingPayload ? try isPayloadIntact(header) : true
            offset = min(offset + header.alignedSize, limit)
            return .record(header, payloadIntact: intact)
        }
        guard let next = try search(from: offset + RecordHeader.alignment) else { return nil }
        defer { offset = next }
        return .gap(offset..<next)
    }

    mutating func skip(to offset: Int) { self.offset = offset }

    /// The whole header that stands at an offset.
    func header(at offset: Int) throws(FileError) -> RecordHeader? {
        guard offset + RecordHeader.size <= limit else { return nil }
        let start = try window.bytes(at: offset, count: RecordHeader.size)
        guard start.count == RecordHeader.size, start.number(at: 0, UInt32.self) == RecordHeader.magic else {
            return nil
        }
        let headLength = Int(start.number(at: 32, UInt32.self))
        guard headLength <= limit - offset - RecordHeader.size else { return nil }
        let whole = try window.bytes(at: offset, count: RecordHeader.size + headLength)
        return RecordHeader(
            whole, at: LogPosition(segment: window.segment.number, offset: UInt32(offset)), seed: seed)
    }

    func head(of header: RecordHeader) throws(FileError) -> [UInt8] {
        Array(try window.bytes(at: Int(header.position.offset) + RecordHeader.size, count: header.headLength))
    }

    /// The payload as it stands there, whole or not.
    func payload(of header: RecordHeader) throws(FileError) -> UnsafeRawBufferPointer {
        let start = Int(header.position.offset) + RecordHeader.size + header.headLength
        return try window.bytes(at: start, count: max(0, min(header.payloadLength, limit - start)))
    }

    private func isPayloadIntact(_ header: RecordHeader) throws(FileError) -> Bool {
        let payload = try payload(of: header)
        return payload.count == header.payloadLength && crc32c(payload) == header.payloadChecksum
    }

    /// Offset of the next whole header.
    func search(from start: Int) throws(FileError) -> Int? {
        var offset = start
        while offset + RecordHeader.size <= limit {
            let part = try window.bytes(at: offset)
            guard part.count >= 4 else { return nil }
            guard let found = part.indexOfMagic else {
                // The magic may stand across the edge of the window, but not across an aligned offset.
                offset += max(part.count & ~(RecordHeader.alignment - 1), RecordHeader.alignment)
                continue
            }
            let candidate = offset + found
            if candidate % RecordHeader.alignment == 0, try header(at: candidate) != nil { return candidate }
            offset = (candidate / RecordHeader.alignment + 1) * RecordHeader.alignment
        }
        return nil
    }

    /// Offset behind the last byte that is not zero, or that the device refuses to read; not before `start`.
    func endOfContent(from start: Int) throws(FileError) -> Int {
        var end = start
        var offset = start
        while offset < window.segment.capacity {
            let part = try window.bytes(at: offset)
            guard !part.isEmpty else { break }
            let content = part.endOfContent
            if content > 0 { end = offset + content }
            offset += part.count
        }
        return window.unreadable.reduce(end) { max($0, $1.upperBound) }
    }
}

extension UnsafeRawBufferPointer {
    fileprivate var indexOfMagic: Int? {
        let first = Int32(RecordHeader.magic & 0xff)
        var offset = 0
        while offset + 4 <= count, let found = memchr(baseAddress! + offset, first, count - 3 - offset) {
            offset = UnsafeRawPointer(found) - baseAddress!
            if number(at: offset, UInt32.self) == RecordHeader.magic { return offset }
            offset += 1
        }
        return nil
    }
}
