import Checksums
import NIOCore

/// What to append: a type, a small head (name, state…) and, for content, a payload.
public struct LogEntry: Sendable {
    public var type: UInt8
    public var head: [UInt8]
    /// Goes to the disk without being copied.
    public var payload: ByteBuffer
    /// CRC32C of the payload, as the client's gateway computed it: it is checked from end to end.
    public var payloadChecksum: UInt32

    public init(type: UInt8, head: [UInt8], payload: ByteBuffer = ByteBuffer(), payloadChecksum: UInt32 = 0) {
        self.type = type
        self.head = head
        self.payload = payload
        self.payloadChecksum = payloadChecksum
    }

    /// Bytes that the record takes in the log.
    public var recordSize: Int { RecordHeader.size + head.count + payload.readableBytes }
}

/// A record as read from the log, checked.
public struct LogRecord: Sendable {
    public let position: LogPosition
    public let type: UInt8
    public let head: [UInt8]
    public let payload: ByteBuffer
    public let payloadChecksum: UInt32
}

/// The fixed head of a record. All numbers little endian; see docs/internals/object-log.md.
struct RecordHeader: Equatable {
    static let size = 48
    static let magic: UInt32 = 0x4745_524d  // "MREG" read as bytes: M R E G
    static let formatVersion: UInt8 = 1
    static let alignment = 8
    static let headLengthOffset = 32
    /// Offset of the checksum, which covers everything before it, then the head after it.
    private static let checksumOffset = 44

    var type: UInt8
    var position: LogPosition
    /// Number of the record in its log: a gap tells that records are missing.
    var sequence: UInt64
    /// Everything before this position was synced when the record was written.
    var durable: LogPosition
    var headLength: Int
    var payloadLength: Int
    var payloadChecksum: UInt32

    var recordSize: Int { Self.size + headLength + payloadLength }
    var alignedSize: Int { Self.aligned(recordSize) }

    static func aligned(_ size: Int) -> Int { (size + alignment - 1) & ~(alignment - 1) }

    /// Writes header and head; `seed` belongs to the disk, so that no other disk's record and no content passes.
    func write(to memory: UnsafeMutableRawBufferPointer, head: [UInt8], seed: UInt32) {
        memory.storeBytes(of: Self.magic.littleEndian, as: UInt32.self)
        memory[4] = Self.formatVersion
        memory[5] = type
        memory[6] = 0
        memory[7] = 0
        memory.storeBytes(of: position.rawValue.littleEndian, toByteOffset: 8, as: UInt64.self)
        memory.storeBytes(of: sequence.littleEndian, toByteOffset: 16, as: UInt64.self)
        memory.storeBytes(of: durable.rawValue.littleEndian, toByteOffset: 24, as: UInt64.self)
        memory.storeBytes(of: UInt32(headLength).littleEndian, toByteOffset: Self.headLengthOffset, as: UInt32.self)
        memory.storeBytes(of: UInt32(payloadLength).littleEndian, toByteOffset: 36, as: UInt32.self)
        memory.storeBytes(of: payloadChecksum.littleEndian, toByteOffset: 40, as: UInt32.self)
        let checksum = Self.checksum(UnsafeRawBufferPointer(memory), head: head, seed: seed)
        memory.storeBytes(of: checksum.littleEndian, toByteOffset: Self.checksumOffset, as: UInt32.self)
        head.withUnsafeBytes { memory[Self.size..<Self.size + $0.count].copyBytes(from: $0) }
    }

    private static func checksum(_ header: UnsafeRawBufferPointer, head: some ContiguousBytesLike, seed: UInt32)
        -> UInt32
    {
        crc32c(head, continuing: crc32c(UnsafeRawBufferPointer(rebasing: header[0..<checksumOffset]), continuing: seed))
    }

    /// The header at the start of `bytes`, when it and the head after it are whole and belong to `position`.
    init?(_ bytes: UnsafeRawBufferPointer, at position: LogPosition, seed: UInt32) {
        guard bytes.count >= Self.size, bytes.number(at: 0, UInt32.self) == Self.magic,
            bytes[4] == Self.formatVersion, bytes.number(at: 8, UInt64.self) == position.rawValue
        else { return nil }
        type = bytes[5]
        self.position = position
        sequence = bytes.number(at: 16, UInt64.self)
        durable = LogPosition(rawValue: bytes.number(at: 24, UInt64.self))
        headLength = Int(bytes.number(at: Self.headLengthOffset, UInt32.self))
        payloadLength = Int(bytes.number(at: 36, UInt32.self))
        payloadChecksum = bytes.number(at: 40, UInt32.self)
        guard headLength <= bytes.count - Self.size else { return nil }
        let head = UnsafeRawBufferPointer(rebasing: bytes[Self.size..<Self.size + headLength])
        guard Self.checksum(bytes, head: head, seed: seed) == bytes.number(at: Self.checksumOffset, UInt32.self) else {
            return nil
        }
    }

    init(
        type: UInt8, position: LogPosition, sequence: UInt64, durable: LogPosition, headLength: Int, payloadLength: Int,
        payloadChecksum: UInt32
    ) {
        self.type = type
        self.position = position
        self.sequence = sequence
        self.durable = durable
        self.headLength = headLength
        self.payloadLength = payloadLength
        self.payloadChecksum = payloadChecksum
    }
}

extension UnsafeRawBufferPointer {
    func number<T: FixedWidthInteger>(at offset: Int, _ type: T.Type) -> T {
        T(littleEndian: loadUnaligned(fromByteOffset: offset, as: T.self))
    }
}
