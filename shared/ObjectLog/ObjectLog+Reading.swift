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
        return try? segment.record(at: position, size: size, seed: seed) { memory, offset in
            segment.file.readCached(into: memory, at: offset) ? size : 0
        }
    }

    func file(of number: UInt32) throws(ObjectLogError) -> SegmentFile {
        if catalog.withLock({ $0.removed.contains(number) }) { throw .removed(number) }
        return try files.open(number)
    }
}

extension SegmentFile {
    /// The record of `size` bytes at a position, with every checksum verified.
    func record(at position: LogPosition, size: Int, seed: UInt32) throws(ObjectLogError) -> LogRecord {
        try record(at: position, size: size, seed: seed) { memory, offset throws(FileError) in
            try file.read(into: memory, at: offset)
        }
    }

    fileprivate func record(
        at position: LogPosition, size: Int, seed: UInt32,
        _ read: (UnsafeMutableRawBufferPointer, Int) throws(FileError) -> Int
    ) throws(ObjectLogError) -> LogRecord {
        guard size >= RecordHeader.size, Int(position.offset) + size <= capacity else {
            throw .damaged(position, "it would reach beyond the end of its segment")
        }
        var buffer = ByteBufferAllocator().buffer(capacity: size)
        var failure: FileError?
        buffer.writeWithUnsafeMutableBytes(minimumWritableBytes: size) { memory in
            do throws(FileError) {
                return try read(UnsafeMutableRawBufferPointer(rebasing: memory[0..<size]), Int(position.offset))
            } catch {
                failure = error
                return 0
            }
        }
        if let failure { throw .file(failure) }
        guard let header = buffer.withUnsafeReadableBytes({ RecordHeader($0, at: position, seed: seed) }),
            header.recordSize == size
        else { throw .damaged(position, "no valid header") }
        buffer.moveReaderIndex(forwardBy: RecordHeader.size)
        let head = buffer.readBytes(length: header.headLength) ?? []
        let checksum = crc32c(buffer)
        guard checksum == header.payloadChecksum || PlantedBug.serveDamage.isPlanted else {
            throw .damaged(position, "wrong checksum of the payload")
        }
        return LogRecord(
            position: position, type: header.type, head: head, payload: buffer, payloadChecksum: checksum)
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
