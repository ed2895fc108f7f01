import Model

/// The state of one register as log and index keep it. Opaque but for what listing, counting and comparing need.
public struct RegisterValue: Sendable, Equatable {
    public var tag: Ballot
    public var sequence: UInt64
    public var recentOperations: [OperationID]
    public var isTombstone: Bool
    /// nil: never written (a round has only confirmed that there is nothing).
    public var record: [UInt8]?
    public var summary: [UInt8]
    /// Blobs that are stored beside the register, on the same disk.
    public var blobs: [BlobID]
    /// Size of the content as a client sees it, for the counts of its bucket.
    public var contentSize: UInt64
    /// Of a tombstone: the wall clock of this node when it came; 0: not known.
    public var deletedMilliseconds: Int64
    /// Live, and yet no object of its own: a version that another register holds too, or an archived delete marker.
    public var isUncounted: Bool

    public init(
        tag: Ballot, sequence: UInt64 = 0, recentOperations: [OperationID] = [], isTombstone: Bool = false,
        record: [UInt8]? = nil, summary: [UInt8] = [], blobs: [BlobID] = [], contentSize: UInt64 = 0,
        deletedMilliseconds: Int64 = 0, isUncounted: Bool = false
    ) {
        self.tag = tag
        self.sequence = sequence
        self.recentOperations = recentOperations
        self.isTombstone = isTombstone
        self.record = record
        self.summary = summary
        self.blobs = blobs
        self.contentSize = contentSize
        self.deletedMilliseconds = deletedMilliseconds
        self.isUncounted = isUncounted
    }

    /// A client would see it.
    public var isLive: Bool { record != nil && !isTombstone }
    /// It is part of what its bucket holds.
    var counts: Bool { isLive && !isUncounted }

    // MARK: - Encoding

    private static let formatVersion: UInt8 = 1

    private enum Flag {
        static let tombstone: UInt8 = 1
        static let record: UInt8 = 2
        /// The time of the deletion follows the size of the content.
        static let deleted: UInt8 = 4
        static let uncounted: UInt8 = 8
    }

    static func isTombstone(_ flags: UInt8) -> Bool { flags & Flag.tombstone != 0 }

    /// Appends the encoded value. Little endian; lengths of everything but the record, which takes the rest.
    public func encode(into bytes: inout [UInt8]) {
        bytes.append(Self.formatVersion)
        let hasTime = deletedMilliseconds != 0
        bytes.append(
            (isTombstone ? Flag.tombstone : 0) | (record != nil ? Flag.record : 0) | (hasTime ? Flag.deleted : 0)
                | (isUncounted ? Flag.uncounted : 0))
        bytes.append(UInt8(clamping: recentOperations.count))
        bytes.append(UInt8(clamping: blobs.count))
        bytes.appendNumber(UInt32(clamping: summary.count))
        bytes.appendNumber(tag.counter)
        bytes.appendNumber(tag.writer)
        bytes.appendNumber(sequence)
        bytes.appendNumber(contentSize)
        if hasTime { bytes.appendNumber(deletedMilliseconds) }
        for operation in recentOperations.prefix(255) { bytes.appendIdentifier(operation) }
        for blob in blobs.prefix(255) { bytes.appendIdentifier(blob) }
        bytes.append(contentsOf: summary)
        if let record { bytes.append(contentsOf: record) }
    }

    /// nil when the bytes are no value of a known version.
    public init?(decoding bytes: UnsafeRawBufferPointer) {
        var reader = ByteReader(bytes)
        guard reader.byte() == Self.formatVersion, let flags = reader.byte(), let operations = reader.byte(),
            let blobCount = reader.byte(), let summarySize: UInt32 = reader.number(),
            let counter: UInt64 = reader.number(), let writer: UInt64 = reader.number(),
            let sequence: UInt64 = reader.number(), let contentSize: UInt64 = reader.number(),
            let time: Int64 = flags & Flag.deleted != 0 ? reader.number() : 0,
            let recent: [OperationID] = reader.identifiers(Int(operations)),
            let blobs: [BlobID] = reader.identifiers(Int(blobCount)), let summary = reader.bytes(Int(summarySize))
        else { return nil }
        self.init(
            tag: Ballot(counter: counter, writer: writer), sequence: sequence, recentOperations: recent,
            isTombstone: Self.isTombstone(flags), record: flags & Flag.record != 0 ? reader.rest() : nil,
            summary: summary, blobs: blobs, contentSize: contentSize, deletedMilliseconds: time,
            isUncounted: flags & Flag.uncounted != 0)
    }
}

/// A register in the index: its value and where the log has it.
public struct IndexedRegister: Sendable, Equatable {
    public var value: RegisterValue
    /// Raw position of its record in the log.
    public var position: UInt64
    /// Bytes that the record takes there.
    public var recordSize: UInt32

    public init(value: RegisterValue, position: UInt64, recordSize: UInt32) {
        self.value = value
        self.position = position
        self.recordSize = recordSize
    }

    var place: RecordPlace { RecordPlace(position: position, size: recordSize) }

    func encoded() -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(80 + value.summary.count + (value.record?.count ?? 0) + 16 * 10)
        bytes.appendNumber(position)
        bytes.appendNumber(recordSize)
        value.encode(into: &bytes)
        return bytes
    }

    init?(decoding bytes: UnsafeRawBufferPointer) {
        var reader = ByteReader(bytes)
        guard let position: UInt64 = reader.number(), let recordSize: UInt32 = reader.number(),
            let value = RegisterValue(decoding: reader.remaining)
        else { return nil }
        self.init(value: value, position: position, recordSize: recordSize)
    }
}

extension IndexedRegister {
    /// Only the tag of an encoded entry.
    static func tag(in bytes: UnsafeRawBufferPointer) -> Ballot? {
        var reader = ByteReader(bytes)
        // Position, record size, then version, flags, two counts and a length.
        guard reader.skip(8 + 4 + 8), let counter: UInt64 = reader.number(), let writer: UInt64 = reader.number() else {
            return nil
        }
        return Ballot(counter: counter, writer: writer)
    }

    /// Only whether an encoded entry is a tombstone.
    static func isTombstone(in bytes: UnsafeRawBufferPointer) -> Bool? {
        var reader = ByteReader(bytes)
        // Position, record size, version.
        guard reader.skip(8 + 4 + 1), let flags = reader.byte() else { return nil }
        return RegisterValue.isTombstone(flags)
    }

    /// Only the position of an encoded entry.
    static func position(in bytes: UnsafeRawBufferPointer) -> UInt64? {
        var reader = ByteReader(bytes)
        return reader.number()
    }
}
