import Checksums
import NIOCore

/// What a footer says of one record.
struct FooterEntry: Equatable {
    static let fixedSize = 28

    var offset: Int
    var type: UInt8
    var sequence: UInt64
    var payloadLength: Int
    var payloadChecksum: UInt32
    var head: [UInt8]

    var recordSize: Int { RecordHeader.size + head.count + payloadLength }
    var end: Int { offset + RecordHeader.aligned(recordSize) }
}

/// Collects the entries of the next footer block of the active segment.
struct FooterBuilder {
    /// Of records of this type the footer consists.
    static let recordType: UInt8 = 0xff
    /// Head of a block that more may follow, and of the one that ends the segment.
    static let innerHead: [UInt8] = [0]
    static let finalHead: [UInt8] = [1]
    static let fixedSize = 8
    private static let blockSizeMax = 256 << 10

    /// Offset of the block before; 0: none.
    private(set) var previous = 0
    private(set) var count = 0
    private var entries: [UInt8] = []
    private let blockSize: Int

    init(capacity: Int) { blockSize = min(Self.blockSizeMax, max(1024, capacity / 16)) }

    /// So much is collected that it should be written.
    var isFull: Bool { entries.count >= blockSize }

    /// Bytes that block and trailer take at the end of a segment when entries of so many bytes are added.
    func room(adding bytes: Int) -> Int {
        // A block that became full is followed by another one, without entries.
        RecordHeader.aligned(RecordHeader.size + 1 + Self.fixedSize + entries.count + bytes)
            + RecordHeader.aligned(RecordHeader.size + 1 + Self.fixedSize) + SegmentTrailer.size
    }

    mutating func add(_ header: RecordHeader, head: [UInt8]) {
        for number in [
            UInt32(header.position.offset), UInt32(header.payloadLength), header.payloadChecksum,
            UInt32(header.headLength),
        ] { entries.append(number: number) }
        entries.append(number: header.sequence)
        entries.append(number: UInt32(header.type))
        entries.append(contentsOf: head)
        count += 1
    }

    /// The record that tells of everything collected.
    func block(isFinal: Bool) -> LogEntry {
        var payload = ByteBufferAllocator().buffer(capacity: Self.fixedSize + entries.count)
        payload.writeInteger(UInt32(previous), endianness: .little)
        payload.writeInteger(UInt32(count), endianness: .little)
        payload.writeBytes(entries)
        return LogEntry(
            type: Self.recordType, head: isFinal ? Self.finalHead : Self.innerHead, payload: payload,
            payloadChecksum: crc32c(payload))
    }

    /// A block with everything collected stands at this offset.
    mutating func written(at offset: Int) {
        previous = offset
        count = 0
        entries.removeAll(keepingCapacity: true)
    }
}

/// The entries of one block.
struct FooterBlock {
    let offset: Int
    let end: Int
    let previous: Int
    let sequence: UInt64
    let entries: [FooterEntry]

    /// nil: these bytes are no block.
    init?(_ header: RecordHeader, payload: UnsafeRawBufferPointer) {
        guard header.type == FooterBuilder.recordType, payload.count >= FooterBuilder.fixedSize else { return nil }
        offset = Int(header.position.offset)
        end = offset + header.alignedSize
        sequence = header.sequence
        previous = Int(payload.number(at: 0, UInt32.self))
        let count = Int(payload.number(at: 4, UInt32.self))
        var entries: [FooterEntry] = []
        entries.reserveCapacity(min(count, payload.count / FooterEntry.fixedSize))
        var at = FooterBuilder.fixedSize
        for _ in 0..<count {
            guard let entry = FooterEntry(payload, at: &at) else { return nil }
            entries.append(entry)
        }
        self.entries = entries
    }
}

extension FooterEntry {
    fileprivate init?(_ bytes: UnsafeRawBufferPointer, at offset: inout Int) {
        guard offset + Self.fixedSize <= bytes.count else { return nil }
        self.offset = Int(bytes.number(at: offset, UInt32.self))
        payloadLength = Int(bytes.number(at: offset + 4, UInt32.self))
        payloadChecksum = bytes.number(at: offset + 8, UInt32.self)
        let headLength = Int(bytes.number(at: offset + 12, UInt32.self))
        sequence = bytes.number(at: offset + 16, UInt64.self)
        type = bytes[offset + 24]
        offset += Self.fixedSize
        guard headLength <= bytes.count - offset else { return nil }
        head = Array(bytes[offset..<offset + headLength])
        offset += headLength
    }
}

/// The last bytes of a sealed segment: where its footer ends.
struct SegmentTrailer: Equatable {
    static let size = 32
    private static let magic: UInt64 = 0x314c_4145_5354_4c4d  // "MLTSEAL1" as bytes

    /// Offset of the last block.
    var lastBlock: Int
    var segment: UInt32
    /// Number of the record after the last block.
    var nextSequence: UInt64

    init(lastBlock: Int, segment: UInt32, nextSequence: UInt64) {
        self.lastBlock = lastBlock
        self.segment = segment
        self.nextSequence = nextSequence
    }

    func bytes(seed: UInt32) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.append(number: Self.magic)
        bytes.append(number: UInt32(lastBlock))
        bytes.append(number: segment)
        bytes.append(number: nextSequence)
        bytes.append(number: UInt32(0))
        bytes.append(number: crc32c(bytes, continuing: seed))
        return bytes
    }

    /// nil: these bytes are no trailer of that segment.
    init?(_ bytes: UnsafeRawBufferPointer, segment: UInt32, seed: UInt32) {
        guard bytes.count == Self.size, bytes.number(at: 0, UInt64.self) == Self.magic,
            bytes.number(at: 12, UInt32.self) == segment,
            crc32c(UnsafeRawBufferPointer(rebasing: bytes[0..<28]), continuing: seed)
                == bytes.number(at: 28, UInt32.self)
        else { return nil }
        lastBlock = Int(bytes.number(at: 8, UInt32.self))
        self.segment = segment
        nextSequence = bytes.number(at: 16, UInt64.self)
    }
}

extension [UInt8] {
    mutating func append(number: some FixedWidthInteger) {
        Swift.withUnsafeBytes(of: number.littleEndian) { append(contentsOf: $0) }
    }
}
