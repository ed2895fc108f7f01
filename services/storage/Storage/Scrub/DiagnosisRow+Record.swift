import MetadataIndex
import Model
import ObjectLog
import Wire

extension DiagnosisRow {
    init(_ damage: SegmentDamage) {
        let position = damage.range.lowerBound
        self.init(
            segment: position.segment, offset: position.offset, kind: damage.isOwn ? .log : .gap, size: damage.size,
            isDamaged: true)
        guard let known = damage.known, let head = RecordHead(type: known.type, head: known.head) else { return }
        describe(head)
        if known.payloadLength > 0 { contentSize = UInt64(known.payloadLength) }
    }

    init(_ record: SegmentRecord, index: MetadataIndex) throws {
        self.init(
            segment: record.position.segment, offset: record.position.offset, kind: .log, size: record.recordSize,
            isDamaged: !record.payloadIntact)
        guard let head = RecordHead(type: record.type, head: record.head) else { return }
        standing = try index.standing(of: head, at: record.position.rawValue)
        describe(head)
        if record.payload.readableBytes > 0 { contentSize = UInt64(record.payload.readableBytes) }
    }

    private mutating func describe(_ head: RecordHead) {
        switch head {
        case .register(let name, let value): describe(name, value)
        case .blob(let blob, let owner):
            kind = .blob
            address = blob.description
            (keyspace, key) = ("\(owner.name.keyspace)", Self.escaped(owner.name.key))
        case .chunk(let chunk, let owner, let written):
            kind = .chunk
            address = chunk.blob.description
            child = String(chunk.index)
            milliseconds = written
            if let owner { (keyspace, key) = ("\(owner.keyspace)", Self.escaped(owner.key)) }
        case .ceiling: kind = .ceiling
        case .hint: kind = .hint
        case .forgetHints: kind = .forgetHints
        case .doubt: kind = .doubt
        case .trust: kind = .trust
        case .leftSlots: kind = .leftSlots
        case .leftPartitions: kind = .leftPartitions
        case .floor: kind = .floor
        case .purge: kind = .purge
        case .dropChunks(let blob, _, _):
            kind = .dropChunks
            address = blob.description
        }
    }

    private mutating func describe(_ name: Model.RegisterName, _ value: RegisterValue) {
        kind = .register
        address = name.bucket.description
        (keyspace, key) = ("\(name.keyspace)", Self.escaped(name.key))
        contentSize = value.contentSize
        isDeleted = value.isTombstone
        if !value.summary.isEmpty {
            milliseconds = (try? ListingSummary(decoding: value.summary))?.modifiedMilliseconds
        }
    }

    static func escaped(_ key: [UInt8]) -> String {
        var text = ""
        for byte in key {
            if (0x21...0x7e).contains(byte), byte != UInt8(ascii: "%") {
                text.unicodeScalars.append(Unicode.Scalar(byte))
            } else {
                text += "%" + hexDigits(of: [byte])
            }
        }
        return text
    }
}
