import Checksums
import NIOCore

/// A record as it stands in a segment.
public struct SegmentRecord: Sendable {
    public let position: LogPosition
    public let type: UInt8
    public let head: [UInt8]
    public let payload: ByteBuffer
    public let payloadChecksum: UInt32
    /// False: the payload is not what was written.
    public let payloadIntact: Bool
    public let recordSize: Int
    let sequence: UInt64

    /// The position behind this record.
    public var end: LogPosition { position.advanced(by: RecordHeader.aligned(recordSize)) }
    /// To append it again, unchanged.
    public var entry: LogEntry {
        LogEntry(type: type, head: head, payload: payload, payloadChecksum: payloadChecksum)
    }
}

/// A stretch of a segment where a record should be and is not.
public struct SegmentDamage: Sendable {
    public let range: Range<LogPosition>
    /// The record that stood there, when the footer tells.
    public let known: KnownRecord?
    /// What stood there was the log's own: footers and marks. Nothing of its users is lost.
    public let isOwn: Bool
    /// The device refused to read some of it.
    public let isUnreadable: Bool
    /// Of a footer's block whose header is whole and whose content is not.
    var sequence: UInt64?
}

/// What the footer tells of a record whose header is damaged.
public struct KnownRecord: Sendable {
    public let type: UInt8
    public let head: [UInt8]
    public let payloadLength: Int
    public let payloadChecksum: UInt32
    /// When only the header is damaged: then the record can be appended again.
    public let payload: ByteBuffer?
    public let recordSize: Int
    let sequence: UInt64
}

public enum SegmentItem: Sendable {
    case record(SegmentRecord)
    case damage(SegmentDamage)
}

/// Reads one segment from begin to end, every checksum checked. Its memory is bounded by the windows and the largest
/// record; how fast it goes is up to the caller. For one thread at a time.
public final class SegmentReader {
    public let segment: UInt32
    private var scan: RecordScan
    private let footerScan: RecordScan
    private let chain: FooterChain?
    private var blocks: ArraySlice<Int>
    private var entries: ArraySlice<FooterEntry> = []
    private var endsAtLimit: Bool
    private var isFinalBlockSeen = false
    /// Behind the last whole record so far, the log's own included.
    public private(set) var end: LogPosition

    /// `limit`: where records end, for a segment that is written to.
    init(_ file: SegmentFile, seed: UInt32, from: Int = SegmentFile.headerSize, limit: Int? = nil) throws(FileError) {
        segment = file.number
        let window = SegmentWindow(file)
        scan = RecordScan(window, seed: seed, from: from, limit: limit)
        let footerWindow = SegmentWindow(file)
        footerScan = RecordScan(footerWindow, seed: seed)
        chain = try limit == nil ? FooterChain(footerWindow, seed: seed) : nil
        blocks = chain?.blocks[...] ?? []
        endsAtLimit = limit != nil
        end = LogPosition(segment: file.number, offset: UInt32(from))
    }

    /// The segment was sealed and its trailer is whole.
    var isSealed: Bool { chain != nil }

    /// What stands in a segment, the log's own records among them.
    enum Step {
        case record(SegmentRecord)
        case own(RecordHeader)
        case damage(SegmentDamage)
    }

    /// The next record or damage; nil at the end. Throws what concerns the whole file, such as too many open files.
    public func next() throws(ObjectLogError) -> SegmentItem? {
        do throws(FileError) {
            while let step = try step() {
                switch step {
                case .record(let record): return .record(record)
                case .damage(let damage): return .damage(damage)
                case .own: continue
                }
            }
            return nil
        } catch { throw .file(error) }
    }

    func step() throws(FileError) -> Step? {
        guard scan.offset < scan.limit else { return nil }
        try loadEntries()
        guard let header = try scan.header(at: scan.offset) else { return try damage().map { .damage($0) } }
        end = header.position.advanced(by: header.alignedSize)
        scan.skip(to: min(Int(end.offset), scan.limit))
        return try item(header)
    }

    /// Those of the block that tells of the place where the scan is.
    private func loadEntries() throws(FileError) {
        while let first = entries.first, first.offset < scan.offset { entries.removeFirst() }
        while entries.isEmpty, let block = blocks.first {
            blocks.removeFirst()
            guard block >= scan.offset, let loaded = try footerScan.footerBlock(at: block) else { continue }
            entries = loaded.entries[...].drop { $0.offset < scan.offset }
        }
    }

    private func item(_ header: RecordHeader) throws(FileError) -> Step {
        let payload = try scan.payload(of: header)
        let intact = payload.count == header.payloadLength && crc32c(payload) == header.payloadChecksum
        let position = header.position
        switch header.type {
        case ObjectLog.markType: return .own(header)
        case FooterBuilder.recordType:
            isFinalBlockSeen = try scan.head(of: header) == FooterBuilder.finalHead
            if intact { return .own(header) }
            return .damage(
                SegmentDamage(
                    range: position..<position.advanced(by: header.alignedSize), known: nil, isOwn: true,
                    isUnreadable: isUnreadable(Int(position.offset), header.alignedSize), sequence: header.sequence))
        default:
            let copy = ByteBuffer(bytes: payload)
            return .record(
                SegmentRecord(
                    position: position, type: header.type, head: try scan.head(of: header), payload: copy,
                    payloadChecksum: header.payloadChecksum, payloadIntact: intact, recordSize: header.recordSize,
                    sequence: header.sequence))
        }
    }

    /// No record stands where one should; nil: nothing more does.
    private func damage() throws(FileError) -> SegmentDamage? {
        let start = scan.offset
        let known = entries.first
        if let known, known.offset == start { return try damage(of: known) }
        let isBlock = chain?.broken == start || chain?.blocks.contains(start) == true
        let found = try scan.search(from: start + RecordHeader.alignment)
        guard let end = [found, known?.offset].compactMap({ $0 }).min() else {
            scan.skip(to: scan.limit)
            let end = endsAtLimit ? scan.limit : try scan.endOfContent(from: start)
            // Behind the final block stands only the trailer, which the chain has checked.
            if isFinalBlockSeen, chain != nil { return nil }
            return end > start ? damage(start..<end, isOwn: isBlock || isFinalBlockSeen) : nil
        }
        scan.skip(to: end)
        return damage(start..<end, isOwn: isBlock)
    }

    private func damage(of entry: FooterEntry) throws(FileError) -> SegmentDamage {
        scan.skip(to: min(entry.end, scan.limit))
        let start = entry.offset + RecordHeader.size + entry.head.count
        let bytes = try scan.window.bytes(at: start, count: entry.payloadLength)
        let intact = bytes.count == entry.payloadLength && crc32c(bytes) == entry.payloadChecksum
        let known = KnownRecord(
            type: entry.type, head: entry.head, payloadLength: entry.payloadLength,
            payloadChecksum: entry.payloadChecksum, payload: intact ? ByteBuffer(bytes: bytes) : nil,
            recordSize: entry.recordSize, sequence: entry.sequence)
        let isOwn = entry.type == ObjectLog.markType
        return damage(entry.offset..<entry.end, known: isOwn ? nil : known, isOwn: isOwn)
    }

    private func damage(_ range: Range<Int>, known: KnownRecord? = nil, isOwn: Bool) -> SegmentDamage {
        SegmentDamage(
            range: LogPosition(
                segment: segment, offset: UInt32(range.lowerBound))..<LogPosition(
                    segment: segment, offset: UInt32(range.upperBound)),
            known: known, isOwn: isOwn, isUnreadable: isUnreadable(range.lowerBound, range.count))
    }

    private func isUnreadable(_ offset: Int, _ count: Int) -> Bool {
        scan.window.unreadable.contains { $0.overlaps(offset..<offset + max(1, count)) }
    }
}
