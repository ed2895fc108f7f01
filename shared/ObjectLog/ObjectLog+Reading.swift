import Checksums
import Model
import NIOCore
import PlantedBugs
import Synchronization

extension ObjectLog {
    /// The record of `size` bytes at a position, with every checksum verified.
    public func read(at position: LogPosition, size: Int) throws(ObjectLogError) -> LogRecord {
        let segment = try file(of: position.segment)
        return try segment.record(at: position, size: size, seed: seed)
    }

    /// The same when it is in memory; nil: only the device can tell, or something is wrong with the record.
    public func cached(at position: LogPosition, size: Int) -> LogRecord? {
        guard let segment = files.known(position.segment),
            !catalog.withLock({ $0.removed.contains(position.segment) })
        else { return nil }
        return segment.file.cachedRecord(at: position, size: size, seed: seed)
    }

    func file(of number: UInt32) throws(ObjectLogError) -> SegmentFile {
        if catalog.withLock({ $0.removed.contains(number) }) { throw .removed(number) }
        return try files.open(number)
    }
}

extension SegmentFile {
    /// The record of `size` bytes at a position, with every checksum verified.
    func record(at position: LogPosition, size: Int, seed: UInt32) throws(ObjectLogError) -> LogRecord {
        guard Int(position.offset) + size <= capacity else {
            throw .damaged(position, "it would reach beyond the end of its segment")
        }
        let start = Int(position.offset)
        return try LogRecord(at: position, size: size, seed: seed) { memory, offset throws(FileError) in
            if offset == start, memory.count < size { file.expect(start..<start + size) }
            return try file.read(into: memory, at: offset)
        }
    }
}

extension LogFile {
    /// The record when it is in memory; nil: only the device can tell, or something is wrong with it. Looked at from its end:
    /// where a read stops in the middle, the system begins to fetch what follows, and more than is left.
    func cachedRecord(at position: LogPosition, size: Int, seed: UInt32) -> LogRecord? {
        if size > LogRecord.wholeMax, !hasCached(Int(position.offset) + size - 1) { return nil }
        return try? LogRecord(at: position, size: size, seed: seed) { memory, offset in
            readCached(into: memory, at: offset) ? memory.count : 0
        }
    }

    private func hasCached(_ offset: Int) -> Bool {
        withUnsafeTemporaryAllocation(byteCount: 1, alignment: 1) { readCached(into: $0, at: offset) }
    }
}

extension LogRecord {
    /// Fills memory with what stands at an offset of the segment; returns how much it could.
    typealias Reading = (UnsafeMutableRawBufferPointer, Int) throws(FileError) -> Int

    /// Of a larger record, header and head are read first: memory comes in powers of two, and content of that size with a
    /// header before it would take twice as much.
    fileprivate static let wholeMax = 16 << 10
    /// Where most heads end.
    private static let firstRead = 256

    /// The record of `size` bytes at a position, with every checksum verified.
    init(at position: LogPosition, size: Int, seed: UInt32, _ read: Reading) throws(ObjectLogError) {
        guard size >= RecordHeader.size else { throw .damaged(position, "smaller than a header") }
        var first = try ByteBuffer(reading: size <= Self.wholeMax ? size : Self.firstRead, at: position.offset, read)
        var header = first.header(at: position, seed: seed)
        if header == nil, size > Self.wholeMax, let length = first.headLength(within: size) {
            first = try ByteBuffer(reading: RecordHeader.size + length, at: position.offset, read)
            header = first.header(at: position, seed: seed)
        }
        guard let header, header.recordSize == size else { throw .damaged(position, "no valid header") }
        first.moveReaderIndex(forwardBy: RecordHeader.size)
        head = first.readBytes(length: header.headLength) ?? []
        payload =
            size <= Self.wholeMax
            ? first
            : try ByteBuffer(
                reading: header.payloadLength, at: position.offset + UInt32(size - header.payloadLength), read)
        payloadChecksum = crc32c(payload)
        guard payloadChecksum == header.payloadChecksum || PlantedBug.serveDamage.isPlanted else {
            throw .damaged(position, "wrong checksum of the payload")
        }
        self.position = position
        type = header.type
    }
}

extension ByteBuffer {
    fileprivate init(reading count: Int, at offset: UInt32, _ read: LogRecord.Reading) throws(ObjectLogError) {
        self = ByteBufferAllocator().buffer(capacity: count)
        var failure: FileError?
        writeWithUnsafeMutableBytes(minimumWritableBytes: count) { memory in
            do throws(FileError) {
                return try read(UnsafeMutableRawBufferPointer(rebasing: memory[0..<count]), Int(offset))
            } catch {
                failure = error
                return 0
            }
        }
        if let failure { throw .file(failure) }
    }

    /// What the header says of a head that is longer than these bytes; nil: it cannot be.
    fileprivate func headLength(within size: Int) -> Int? {
        guard
            let length = getInteger(
                at: readerIndex + RecordHeader.headLengthOffset, endianness: .little, as: UInt32.self)
        else { return nil }
        let end = RecordHeader.size + Int(length)
        return end > readableBytes && end <= size ? Int(length) : nil
    }

    fileprivate func header(at position: LogPosition, seed: UInt32) -> RecordHeader? {
        withUnsafeReadableBytes { RecordHeader($0, at: position, seed: seed) }
    }
}

/// Segments kept open, as many as the process may spend descriptors on.
final class OpenSegments: Sendable {
    private struct Known {
        let file: SegmentFile
        var lastUse: UInt64
    }

    private struct Evicted {
        weak var file: SegmentFile?
    }

    private struct State {
        var known: [UInt32: Known] = [:]
        /// Closed by us, but maybe still in use: a segment is open only once.
        var evicted: [UInt32: Evicted] = [:]
        var uses: UInt64 = 0
    }

    private let state = Mutex(State())
    private let max: Int
    private let disk: DiskID
    private let directory: any LogDirectory

    init(max: Int, disk: DiskID, directory: any LogDirectory) {
        self.max = Swift.max(1, max)
        self.disk = disk
        self.directory = directory
    }

    /// A failure, such as too many open files, concerns this attempt only.
    func open(_ number: UInt32) throws(ObjectLogError) -> SegmentFile {
        if let known = known(number) { return known }
        return remember(try SegmentFile.open(number, disk: disk, in: directory))
    }

    /// nil: it is not open.
    func known(_ number: UInt32) -> SegmentFile? {
        state.withLock { state in
            state.uses += 1
            state.known[number]?.lastUse = state.uses
            return state.known[number]?.file ?? state.evicted[number]?.file
        }
    }

    /// Returns the one that is open already, if there is one.
    @discardableResult
    func remember(_ segment: SegmentFile) -> SegmentFile {
        state.withLock { state in
            if let other = state.known[segment.number]?.file ?? state.evicted[segment.number]?.file { return other }
            if state.known.count >= max, let oldest = state.known.min(by: { $0.value.lastUse < $1.value.lastUse }) {
                state.known[oldest.key] = nil
                state.evicted = state.evicted.filter { $0.value.file != nil }
                state.evicted[oldest.key] = Evicted(file: oldest.value.file)
            }
            state.uses += 1
            state.known[segment.number] = Known(file: segment, lastUse: state.uses)
            return segment
        }
    }

    func forget(_ number: UInt32) { state.withLock { $0.known[number] = nil } }

    var count: Int { state.withLock { $0.known.count } }
}
