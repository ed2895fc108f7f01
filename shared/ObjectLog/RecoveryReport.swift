import NIOCore

/// A record met while the log is opened. The payload stays on the disk.
public struct ReplayedRecord: Sendable {
    public let position: LogPosition
    public let type: UInt8
    public let head: [UInt8]
    public let payloadSize: Int
    public let payloadChecksum: UInt32
    /// False: the payload was changed or lost on the disk after it had been written.
    public let payloadIntact: Bool
    public let recordSize: Int
    /// The position behind this record: what an index that has it gives as its checkpoint.
    public var end: LogPosition { position.advanced(by: RecordHeader.aligned(recordSize)) }
}

/// A stretch of the log that once held synced records and cannot be read.
public struct LogDamage: Sendable, Equatable, CustomStringConvertible {
    public let position: LogPosition
    public let size: Int
    /// Number of records missing, where the numbering tells.
    public internal(set) var records: UInt64?
    public let kind: Kind

    public enum Kind: Sendable, Equatable {
        /// Nobody knows what stood there.
        case unreadable
        /// The numbering tells that records are missing before this place.
        case missing
        /// The record is known, its payload is damaged.
        case payload
        /// A header is damaged; the footer tells what stood there.
        case header
        /// The log's own: the footer of a segment, the list of removed segments. No record is lost.
        case footer
        /// The log ends before the checkpoint of its index.
        case truncated
        /// The log once was longer: its end mark says so, or is gone itself, so that nobody knows.
        case lostEnd
        /// A segment is gone, and nobody removed it.
        case lostSegment
        /// A segment has lost its end.
        case truncatedSegment
    }

    public var end: LogPosition {
        kind == .lostSegment ? LogPosition(segment: position.segment + 1, offset: 0) : position.advanced(by: size)
    }

    public var description: String {
        "\(kind) at \(position), \(size) bytes, \(records.map(String.init) ?? "unknown number of") records"
    }
}

/// What opening a log found.
public struct RecoveryReport: Sendable {
    /// Records handed to the index.
    public var replayed = 0
    /// Reported whether or not the index has them. Lost and truncated segments are reported at every opening, others when
    /// their segment is read: from the checkpoint on.
    public var damages: [LogDamage] = []
    /// Where an interrupted write was cut off, and its size.
    public var cut: (position: LogPosition, size: Int)?
    /// Where appending goes on.
    public var end = LogPosition.start
}
