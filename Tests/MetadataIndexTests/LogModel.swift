import Model

@testable import MetadataIndex

/// Random numbers that a seed repeats.
struct SeededGenerator: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var z = state
        z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
        z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
        return z ^ (z >> 31)
    }
}

/// A log in memory: records at positions, cut into small segments.
struct LogModel {
    enum Content {
        case register(RegisterName, RegisterValue)
        case blob(BlobID, BlobOwner)
        case chunk(ChunkName)
        case dropChunks(BlobID, [UInt32], watermark: UInt64)
        case hint([UInt8])
        case forgetHints([UInt64])
        case ceiling(UInt64)
        case floor(IndexFloor)
        case purge([PurgedRegister], watermark: UInt64)
    }

    struct Record {
        var content: Content
        var position: UInt64
        var size: UInt32
        var segment: UInt32 { UInt32(position >> 32) }
        var end: UInt64 { position + UInt64(size) }
    }

    private static let segmentSize: UInt64 = 3000

    private(set) var records: [Record] = []
    private var next: UInt64 = 1 << 32 | 64

    var active: UInt32 { UInt32(next >> 32) }
    var segments: Set<UInt32> { Set(records.map(\.segment)) }

    mutating func append(_ content: Content) -> Record {
        let size = content.size
        if next & 0xffff_ffff + UInt64(size) > Self.segmentSize { next = (next >> 32 + 1) << 32 | 64 }
        let record = Record(content: content, position: next, size: size)
        next += UInt64(size)
        records.append(record)
        return record
    }

    mutating func remove(segment: UInt32) { records.removeAll { $0.segment == segment } }
}

extension LogModel.Content {
    var size: UInt32 {
        switch self {
        case .register(_, let value): UInt32(100 + 8 * (value.tag.counter % 10))
        case .blob(let blob, _): UInt32(200 + 8 * (blob.low % 30))
        case .chunk(let name): 300 + 8 * name.index
        case .dropChunks(_, let indexes, _): UInt32(72 + 4 * indexes.count)
        case .hint: 80
        case .forgetHints(let ids): UInt32(48 + 8 * ids.count)
        case .ceiling: 56
        case .floor: 72
        case .purge(let purged, _): UInt32(64 + 48 * purged.count)
        }
    }
}

extension LogModel.Record {
    var change: IndexChange {
        let place = RecordPlace(position: position, size: size)
        let location = BlobLocation(position: position, recordSize: size, size: size / 2, checksum: 7)
        return switch content {
        case .register(let name, let value):
            .register(name, IndexedRegister(value: value, position: position, recordSize: size))
        case .blob(let blob, let owner): .blob(BlobKey(blob), location, owner: owner)
        case .chunk(let name): .blob(BlobKey(name), location)
        case .dropChunks(let blob, let indexes, let watermark):
            .dropChunks(blob, indexes, watermark: watermark, place)
        case .hint(let hint): .hint(id: position, hint, recordSize: size)
        case .forgetHints(let ids): .forgetHints(ids, place)
        case .ceiling(let counter): .ceiling(counter, place)
        case .floor(let floor): .floor(floor, place)
        case .purge(let purged, let watermark): .purge(purged, watermark: watermark, place)
        }
    }
}
