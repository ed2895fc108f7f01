import Checksums
import Model

/// The log of a disk that another process of this machine writes: for reading records whose places that process has told.
///
/// Nothing is locked and nothing written. A segment that is removed meanwhile reads as damaged or missing.
public final class LogView: Sendable {
    private let files: OpenSegments
    private let seed: UInt32

    /// - Parameter disk: whose log it must be; a segment of another one is refused as ``ObjectLogError/foreign(_:)``.
    public init(of path: String, disk: DiskID, openFilesMax: Int = 16) {
        files = OpenSegments(max: openFilesMax, disk: disk, directory: RealDirectory(reading: path))
        seed = crc32c(disk.bytes)
    }

    /// The record of `size` bytes at a position, with every checksum verified.
    public func read(at position: LogPosition, size: Int) throws(ObjectLogError) -> LogRecord {
        do throws(ObjectLogError) {
            return try files.open(position.segment).record(at: position, size: size, seed: seed)
        } catch {
            // It may have been emptied, and would stay open for nothing.
            files.forget(position.segment)
            throw error
        }
    }
}
