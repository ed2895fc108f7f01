import MetadataIndex
import Model
import NIOCore
import ObjectLog

/// Kinds of records in the log of a storage node. The numbers are on disks: never change or reuse them.
enum LogRecordType: UInt8 {
    /// Head: length of the name (2 bytes), the name's index key, the encoded `RegisterValue`.
    case register = 1
    /// Head: id of the blob (16 bytes), tag of the state for which it was brought (counter, writer, 8 bytes each), index
    /// key of the register beside which it stands. Payload: the bytes.
    case blob = 2
    /// Head: counter (8 bytes). Promises up to it may have been given.
    case ceiling = 3
    /// Head: encoded `Hint`. Its id is the position of the record.
    case hint = 4
    /// Head: ids (8 bytes each).
    case forgetHints = 5
    /// Head: a position (8 bytes) and slots (32 bytes): records of these slots before it were lost.
    case doubt = 6
    /// Head: id of the blob (16 bytes), index (4 bytes, big endian), wall clock of the first writer in milliseconds
    /// (8 bytes), index key of the register that is to refer to it (may be missing). Payload: the bytes.
    case chunk = 7
    /// Head: id of the blob (16 bytes), a position behind which no copy of the chunks stands (8 bytes; 0: this record's),
    /// indexes of chunks (4 bytes each). They are gone for good.
    case dropChunks = 8
    /// Head: as of a doubt, which is settled.
    case trust = 9
    /// Head: as of a doubt. The slots went to another disk: their records before the position count for nothing.
    case leftSlots = 10
    /// Head: ballot (counter, writer) and sequence, 8 bytes each: up to there tombstones may have been purged.
    case floor = 11
    /// Head: a position behind which no record of the keys up to their tags stands (8 bytes; 0: this record's), then for each
    /// key the tag of its tombstone (counter, writer, 8 bytes each), length (2 bytes) and bytes of the name's index key. These
    /// tombstones are gone.
    case purge = 12
    /// Head: a position (8 bytes), the hash key of the ring (16), its number of partitions (4), numbers of partitions (4 each).
    /// The ring took these away from the node: their records before the position count for nothing.
    case leftPartitions = 13
}

extension LogEntry {
    static func register(_ name: RegisterName, _ value: RegisterValue) -> LogEntry {
        let key = name.indexKey
        var head: [UInt8] = []
        head.reserveCapacity(192 + key.count + value.summary.count + (value.record?.count ?? 0))
        head.appendNumber(UInt16(key.count))
        head.append(contentsOf: key)
        value.encode(into: &head)
        return LogEntry(type: LogRecordType.register.rawValue, head: head)
    }

    /// A blob beside its register.
    static func blob(_ blob: BlobID, of owner: BlobOwner, _ bytes: ByteBuffer, checksum: UInt32) -> LogEntry {
        var head = blob.bytes
        head.appendNumber(owner.tag.counter)
        head.appendNumber(owner.tag.writer)
        head.append(contentsOf: owner.name.indexKey)
        return LogEntry(type: LogRecordType.blob.rawValue, head: head, payload: bytes, payloadChecksum: checksum)
    }

    static func chunk(
        _ name: ChunkName, owner: RegisterName?, writtenMilliseconds: Int64, _ bytes: ByteBuffer, checksum: UInt32
    ) -> LogEntry {
        var head = BlobKey(name).bytes
        head.appendNumber(writtenMilliseconds)
        head.append(contentsOf: owner?.indexKey ?? [])
        return LogEntry(type: LogRecordType.chunk.rawValue, head: head, payload: bytes, payloadChecksum: checksum)
    }

    /// `watermark`: see ``LogRecordType/dropChunks``.
    static func dropChunks(_ blob: BlobID, _ indexes: [UInt32], watermark: UInt64 = 0) -> LogEntry {
        var head = blob.bytes
        head.appendNumber(watermark)
        for index in indexes { head.appendNumber(index) }
        return LogEntry(type: LogRecordType.dropChunks.rawValue, head: head)
    }

    static func ceiling(_ counter: UInt64) -> LogEntry { numbers(.ceiling, [counter]) }
    static func hint(_ hint: [UInt8]) -> LogEntry { LogEntry(type: LogRecordType.hint.rawValue, head: hint) }
    static func forgetHints(_ ids: [UInt64]) -> LogEntry { numbers(.forgetHints, ids) }
    static func doubt(before position: LogPosition, slots: SlotSet) -> LogEntry { slotted(.doubt, position, slots) }
    static func trust(before position: LogPosition, slots: SlotSet) -> LogEntry { slotted(.trust, position, slots) }

    static func leftSlots(before position: LogPosition, slots: SlotSet) -> LogEntry {
        slotted(.leftSlots, position, slots)
    }

    static func floor(_ floor: IndexFloor) -> LogEntry {
        numbers(.floor, [floor.ballot.counter, floor.ballot.writer, floor.sequence])
    }

    /// `watermark`: see ``LogRecordType/purge``.
    static func purge(_ purged: some Collection<PurgedRegister>, watermark: UInt64 = 0) -> LogEntry {
        var head: [UInt8] = []
        head.appendNumber(watermark)
        for item in purged {
            let key = item.name.indexKey
            head.appendNumber(item.tag.counter)
            head.appendNumber(item.tag.writer)
            head.appendNumber(UInt16(key.count))
            head.append(contentsOf: key)
        }
        return LogEntry(type: LogRecordType.purge.rawValue, head: head)
    }

    static func leftPartitions(
        before position: LogPosition, _ cut: PartitionCut, _ partitions: some Collection<UInt32>
    ) -> LogEntry {
        var head: [UInt8] = []
        head.appendNumber(position.rawValue)
        head += cut.hashKey
        head.appendNumber(UInt32(cut.count))
        for partition in partitions { head.appendNumber(partition) }
        return LogEntry(type: LogRecordType.leftPartitions.rawValue, head: head)
    }

    private static func slotted(_ type: LogRecordType, _ position: LogPosition, _ slots: SlotSet) -> LogEntry {
        var head: [UInt8] = []
        head.appendNumber(position.rawValue)
        return LogEntry(type: type.rawValue, head: head + slots.bytes)
    }

    private static func numbers(_ type: LogRecordType, _ numbers: [UInt64]) -> LogEntry {
        var head: [UInt8] = []
        for number in numbers { head.appendNumber(number) }
        return LogEntry(type: type.rawValue, head: head)
    }
}

/// A head, decoded. nil from `init`: no head of this type, or of a version that this software does not know.
enum RecordHead: Equatable {
    case register(RegisterName, RegisterValue)
    case blob(BlobID, BlobOwner)
    case chunk(ChunkName, owner: RegisterName?, writtenMilliseconds: Int64)
    case ceiling(UInt64)
    case hint([UInt8])
    case forgetHints([UInt64])
    case doubt(before: UInt64, slots: SlotSet)
    case trust(before: UInt64, slots: SlotSet)
    case leftSlots(before: UInt64, slots: SlotSet)
    case dropChunks(BlobID, [UInt32], watermark: UInt64)
    case floor(IndexFloor)
    case purge([PurgedRegister], watermark: UInt64)
    case leftPartitions(before: UInt64, PartitionCut, [UInt32])

    init?(type: UInt8, head: [UInt8]) {
        guard let type = LogRecordType(rawValue: type) else { return nil }
        let decoded = head.withUnsafeBytes { bytes -> RecordHead? in
            var reader = ByteReader(bytes)
            return Self.decode(type, &reader)
        }
        guard let decoded else { return nil }
        self = decoded
    }

    private static func decode(_ type: LogRecordType, _ reader: inout ByteReader) -> RecordHead? {
        switch type {
        case .register: register(&reader)
        case .blob: blob(&reader)
        case .chunk: chunk(&reader)
        case .ceiling: reader.number().map { .ceiling($0) }
        case .hint: .hint(reader.rest())
        case .forgetHints: .forgetHints(numbers(&reader))
        case .doubt: slots(&reader).map { .doubt(before: $0.before, slots: $0.slots) }
        case .trust: slots(&reader).map { .trust(before: $0.before, slots: $0.slots) }
        case .leftSlots: slots(&reader).map { .leftSlots(before: $0.before, slots: $0.slots) }
        case .dropChunks: dropChunks(&reader)
        case .floor: floor(&reader)
        case .purge: purge(&reader)
        case .leftPartitions: leftPartitions(&reader)
        }
    }

    private static func register(_ reader: inout ByteReader) -> RecordHead? {
        guard let size: UInt16 = reader.number(), let key = reader.bytes(Int(size)),
            let name = RegisterName(indexKey: key), let value = RegisterValue(decoding: reader.remaining)
        else { return nil }
        return .register(name, value)
    }

    private static func blob(_ reader: inout ByteReader) -> RecordHead? {
        guard let blob: BlobID = reader.identifier(), let counter: UInt64 = reader.number(),
            let writer: UInt64 = reader.number(), let name = RegisterName(indexKey: reader.rest())
        else { return nil }
        return .blob(blob, BlobOwner(name: name, tag: Ballot(counter: counter, writer: writer)))
    }

    private static func chunk(_ reader: inout ByteReader) -> RecordHead? {
        guard let key = reader.bytes(20).flatMap({ BlobKey($0) }), let index = key.index,
            let milliseconds: Int64 = reader.number()
        else { return nil }
        let name = ChunkName(blob: key.blob, index: index)
        let rest = reader.rest()
        if rest.isEmpty { return .chunk(name, owner: nil, writtenMilliseconds: milliseconds) }
        guard let owner = RegisterName(indexKey: rest) else { return nil }
        return .chunk(name, owner: owner, writtenMilliseconds: milliseconds)
    }

    private static func dropChunks(_ reader: inout ByteReader) -> RecordHead? {
        guard let blob: BlobID = reader.identifier(), let watermark: UInt64 = reader.number() else { return nil }
        return .dropChunks(blob, numbers(&reader), watermark: watermark)
    }

    private static func floor(_ reader: inout ByteReader) -> RecordHead? {
        guard let counter: UInt64 = reader.number(), let writer: UInt64 = reader.number(),
            let sequence: UInt64 = reader.number()
        else { return nil }
        return .floor(IndexFloor(ballot: Ballot(counter: counter, writer: writer), sequence: sequence))
    }

    private static func purge(_ reader: inout ByteReader) -> RecordHead? {
        guard let watermark: UInt64 = reader.number() else { return nil }
        var purged: [PurgedRegister] = []
        while let counter: UInt64 = reader.number() {
            guard let writer: UInt64 = reader.number(), let size: UInt16 = reader.number(),
                let name = reader.bytes(Int(size)).flatMap({ RegisterName(indexKey: $0) })
            else { return nil }
            purged.append(PurgedRegister(name: name, tag: Ballot(counter: counter, writer: writer)))
        }
        return .purge(purged, watermark: watermark)
    }

    private static func leftPartitions(_ reader: inout ByteReader) -> RecordHead? {
        guard let before: UInt64 = reader.number(), let key = reader.bytes(16), let count: UInt32 = reader.number(),
            let cut = PartitionCut(hashKey: key, count: Int(count))
        else { return nil }
        return .leftPartitions(before: before, cut, numbers(&reader))
    }

    private static func slots(_ reader: inout ByteReader) -> (before: UInt64, slots: SlotSet)? {
        guard let before: UInt64 = reader.number(), let slots = SlotSet(bytes: reader.rest()) else { return nil }
        return (before, slots)
    }

    private static func numbers<T: FixedWidthInteger & BitwiseCopyable>(_ reader: inout ByteReader) -> [T] {
        var numbers: [T] = []
        while let number: T = reader.number() { numbers.append(number) }
        return numbers
    }
}

extension IndexChange {
    /// What a record found in the log means. nil: a type or version that this software does not know.
    init?(_ record: ReplayedRecord) {
        let place = RecordPlace(position: record.position.rawValue, size: UInt32(record.recordSize))
        self.init(
            RecordHead(type: record.type, head: record.head),
            BlobLocation(
                position: place.position, recordSize: place.size, size: UInt32(record.payloadSize),
                checksum: record.payloadChecksum, isDamaged: !record.payloadIntact), place)
    }

    /// What a record that was appended means.
    init?(_ entry: LogEntry, at position: LogPosition) {
        let place = RecordPlace(position: position.rawValue, size: UInt32(entry.recordSize))
        self.init(
            RecordHead(type: entry.type, head: entry.head),
            BlobLocation(
                position: place.position, recordSize: place.size, size: UInt32(entry.payload.readableBytes),
                checksum: entry.payloadChecksum), place)
    }

    private init?(_ head: RecordHead?, _ location: BlobLocation, _ place: RecordPlace) {
        switch head {
        case .register(let name, let value):
            self = .register(name, IndexedRegister(value: value, position: place.position, recordSize: place.size))
        case .blob(let blob, let owner): self = .blob(BlobKey(blob), location, owner: owner)
        case .chunk(let name, _, _): self = .blob(BlobKey(name), location)
        case .ceiling(let counter): self = .ceiling(counter, place)
        case .hint(let hint): self = .hint(id: place.position, hint, recordSize: place.size)
        case .forgetHints(let ids): self = .forgetHints(ids, place)
        case .doubt(let position, let slots): self = .doubt(before: position, slots: slots, place)
        case .trust(let position, let slots): self = .trust(before: position, slots: slots, place)
        case .leftSlots(let position, let slots): self = .leftSlots(before: position, slots: slots, place)
        case .dropChunks(let blob, let indexes, let watermark):
            self = .dropChunks(blob, indexes, watermark: watermark, place)
        case .floor(let floor): self = .floor(floor, place)
        case .purge(let purged, let watermark): self = .purge(purged, watermark: watermark, place)
        case .leftPartitions(let position, let cut, let partitions):
            self = .leftPartitions(before: position, cut, partitions, place)
        case nil: return nil
        }
    }
}
