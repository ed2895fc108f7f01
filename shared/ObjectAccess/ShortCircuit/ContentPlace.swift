import Model
import ObjectLog
import Wire

/// Where a storage node says that content stands in its log.
struct ContentPlace: Sendable {
    let node: NodeName
    let log: LogView
    let position: LogPosition
    let recordSize: Int
    /// CRC32C of the content.
    let checksum: UInt32

    /// nil: no place.
    init?(_ message: LogPlace, of node: NodeName, checksum: UInt32) {
        guard let disk = DiskID(message.disk), message.directory.hasPrefix("/"),
            message.recordSize <= 2 * Limits.chunkSize
        else { return nil }
        self.node = node
        log = LogView(of: message.directory, disk: disk)
        position = LogPosition(rawValue: message.position)
        recordSize = Int(message.recordSize)
        self.checksum = checksum
    }
}
