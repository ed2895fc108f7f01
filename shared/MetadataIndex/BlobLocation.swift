import Model

/// Where the log has a blob or a chunk.
public struct BlobLocation: Sendable, Equatable {
    /// Raw position in the log.
    public var position: UInt64
    /// Bytes of the whole record.
    public var recordSize: UInt32
    /// Bytes of the content.
    public var size: UInt32
    public var checksum: UInt32
    /// Found unreadable: it counts as present, but cannot be served.
    public var isDamaged: Bool
    /// Of a blob beside a register: the tag of the state for which it was brought.
    public internal(set) var tag: Ballot?

    public init(position: UInt64, recordSize: UInt32, size: UInt32, checksum: UInt32, isDamaged: Bool = false) {
        self.position = position
        self.recordSize = recordSize
        self.size = size
        self.checksum = checksum
        self.isDamaged = isDamaged
    }

    var place: RecordPlace { RecordPlace(position: position, size: recordSize) }

    /// Whether this copy of the content is to be used, not the other: rather the intact one, then the one brought for the
    /// later state, then the later one.
    func isBetter(than other: BlobLocation) -> Bool {
        if isDamaged != other.isDamaged { return other.isDamaged }
        if let tag, let otherTag = other.tag, tag != otherTag { return otherTag < tag }
        return other.position < position
    }
}

/// What the index has under the key of a blob.
public enum BlobEntry: Sendable, Equatable {
    case stored(BlobLocation)
    /// A chunk that was dropped. It is not installed again as long as a copy of it may come.
    case dropped(DroppedMarker)

    private enum Kind {
        static let stored: UInt8 = 0
        static let damaged: UInt8 = 1
        static let dropped: UInt8 = 2
    }

    /// Only the kind of an encoded entry.
    static func isDropped(_ bytes: UnsafeRawBufferPointer) -> Bool { bytes.first == Kind.dropped }

    func encoded() -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(37)
        switch self {
        case .stored(let location):
            bytes.append(location.isDamaged ? Kind.damaged : Kind.stored)
            bytes.appendNumber(location.position)
            bytes.appendNumber(location.recordSize)
            bytes.appendNumber(location.size)
            bytes.appendNumber(location.checksum)
            if let tag = location.tag {
                bytes.appendNumber(tag.counter)
                bytes.appendNumber(tag.writer)
            }
        case .dropped(let marker):
            bytes.append(Kind.dropped)
            bytes.appendNumber(marker.position)
            bytes.appendNumber(marker.watermark)
        }
        return bytes
    }

    init?(decoding bytes: UnsafeRawBufferPointer) {
        var reader = ByteReader(bytes)
        guard let kind = reader.byte(), let position: UInt64 = reader.number() else { return nil }
        switch kind {
        case Kind.stored, Kind.damaged:
            guard let recordSize: UInt32 = reader.number(), let size: UInt32 = reader.number(),
                let checksum: UInt32 = reader.number()
            else { return nil }
            var location = BlobLocation(
                position: position, recordSize: recordSize, size: size, checksum: checksum,
                isDamaged: kind == Kind.damaged)
            if let counter: UInt64 = reader.number(), let writer: UInt64 = reader.number() {
                location.tag = Ballot(counter: counter, writer: writer)
            }
            self = .stored(location)
        case Kind.dropped:
            guard let watermark: UInt64 = reader.number() else { return nil }
            self = .dropped(DroppedMarker(position: position, watermark: watermark))
        default: return nil
        }
    }
}

/// What remains of a chunk that was dropped.
public struct DroppedMarker: Sendable, Equatable {
    /// Raw position of the last record that says so.
    public var position: UInt64
    /// No copy of the chunk stands behind this position. When all segments up to it are gone, the marker may go.
    public var watermark: UInt64

    public init(position: UInt64, watermark: UInt64) {
        self.position = position
        self.watermark = watermark
    }
}
