import Checksums
import Model

/// The log of a disk that another process of this machine writes: for reading records whose places that process has told.
///
/// Nothing is locked and nothing written, and no file is open but while it is read: a disk that its node has left can be
/// unmounted. A segment that is removed meanwhile reads as damaged or missing.
public struct LogView: Sendable {
    private let directory: RealDirectory
    private let disk: DiskID

    /// - Parameter disk: whose log it must be; a segment of another one is refused as ``ObjectLogError/foreign(_:)``.
    public init(of path: String, disk: DiskID) {
        directory = RealDirectory(reading: path)
        self.disk = disk
    }

    /// The record of `size` bytes at a position, with every checksum verified.
    public func read(at position: LogPosition, size: Int) throws(ObjectLogError) -> LogRecord {
        let segment = try SegmentFile.open(position.segment, disk: disk, in: directory)
        return try segment.record(at: position, size: size, seed: crc32c(disk.bytes))
    }

    /// The same when the system has file and record in memory; nil: only the device can tell, or something is wrong. Never
    /// waits for a device.
    public func cached(at position: LogPosition, size: Int) -> LogRecord? {
        directory.openCached(SegmentFile.name(position.segment))?.cachedRecord(
            at: position, size: size, seed: crc32c(disk.bytes))
    }
}
