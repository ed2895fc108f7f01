import MetadataIndex
import Model
import NIOCore
import ObjectLog

/// Kinds of records in the log of a storage node. The numbers are on disks: never change or reuse them.
enum LogRecordType: UInt8 {
    /// Head: length of the name (2 bytes), the name's index key, the encoded `RegisterValue`.
    case register = 1
    /// Head: id of the blob; chunks: and index (4 bytes, big endian). Payload: the bytes.
    case blob = 2
    /// Head: counter (8 bytes). Promises up to it may have been given.
    case ceiling = 3
    /// Head: encoded `Hint`. Its id is the position of the record.
    case hint = 4
    /// Head: ids (8 bytes each).
    case forgetHints = 5
    /// Head: a position (8 bytes): records before it were lost.
    case doubt = 6
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

    static func blob(_ key: BlobKey, _ bytes: ByteBuffer, checksum: UInt32) -> LogEntry {
        LogEntry(type: LogRecordType.blob.rawValue, head: key.bytes, payload: bytes, payloadChecksum: checksum)
    }

    static func ceiling(_ counter: UInt64) -> LogEntry { numbers(.ceiling, [counter]) }
    static func hint(_ hint: [UInt8]) -> LogEntry { LogEntry(type: LogRecordType.hint.rawValue, head: hint) }
    static func forgetHints(_ ids: [UInt64]) -> LogEntry { numbers(.forgetHints, ids) }
    static func doubt(before position: LogPosition) -> LogEntry { numbers(.doubt, [position.rawValue]) }

    private static func numbers(_ type: LogRecordType, _ numbers: [UInt64]) -> LogEntry {
        var head: [UInt8] = []
        for number in numbers { head.appendNumber(number) }
        return LogEntry(type: type.rawValue, head: head)
    }
}

extension IndexChange {
    /// What a record found in the log means. nil: a type or version that this software does not know.
    init?(_ record: ReplayedRecord) {
        let size = UInt32(record.recordSize)
        switch LogRecordType(rawValue: record.type) {
        case .register:
            guard let (name, value) = Self.register(in: record.head) else { return nil }
            self = .register(name, IndexedRegister(value: value, position: record.position.rawValue, recordSize: size))
        case .blob:
            guard let key = BlobKey(record.head) else { return nil }
            self = .blob(
                key,
                BlobLocation(
                    position: record.position.rawValue, recordSize: size, size: UInt32(record.payloadSize),
                    checksum: record.payloadChecksum, isDamaged: !record.payloadIntact))
        case .ceiling:
            guard let counter = Self.numbers(in: record.head).first else { return nil }
            self = .ceiling(counter)
        case .hint: self = .hint(id: record.position.rawValue, record.head)
        case .forgetHints: self = .forgetHints(Self.numbers(in: record.head))
        case .doubt:
            guard let position = Self.numbers(in: record.head).first else { return nil }
            self = .doubt(before: position)
        case nil: return nil
        }
    }

    private static func register(in head: [UInt8]) -> (RegisterName, RegisterValue)? {
        head.withUnsafeBytes { bytes in
            var reader = ByteReader(bytes)
            guard let size: UInt16 = reader.number(), let key = reader.bytes(Int(size)),
                let name = RegisterName(indexKey: key), let value = RegisterValue(decoding: reader.remaining)
            else { return nil }
            return (name, value)
        }
    }

    private static func numbers(in head: [UInt8]) -> [UInt64] {
        head.withUnsafeBytes { bytes in
            var reader = ByteReader(bytes)
            var numbers: [UInt64] = []
            while let number: UInt64 = reader.number() { numbers.append(number) }
            return numbers
        }
    }
}
