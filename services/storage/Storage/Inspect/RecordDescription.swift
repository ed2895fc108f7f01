import MetadataIndex
import Model
import ObjectLog

/// What a record of the log says, for people.
enum RecordDescription {
    /// On one line.
    static func line(type: UInt8, head: [UInt8]) -> String {
        guard let decoded = RecordHead(type: type, head: head) else { return "record of unknown type \(type)" }
        return fields(decoded).map { "\($0)=\($1)" }.joined(separator: " ")
    }

    /// Name and value, in the order of importance.
    static func fields(_ head: RecordHead) -> [(String, String)] {
        switch head {
        case .register(let name, let value): [("type", "register")] + register(name) + state(value)
        case .blob(let blob, let owner):
            [("type", "blob"), ("blob", "\(blob)")] + register(owner.name) + [("tag", "\(owner.tag)")]
        case .chunk(let chunk, let owner, let milliseconds):
            [("type", "chunk"), ("blob", "\(chunk.blob)"), ("index", "\(chunk.index)")]
                + (owner.map(register) ?? []) + [("written_milliseconds", "\(milliseconds)")]
        case .ceiling(let counter): [("type", "ceiling"), ("counter", "\(counter)")]
        case .hint(let bytes): [("type", "hint"), ("bytes", "\(bytes.count)")]
        case .forgetHints(let ids): [("type", "forgetHints"), ("hints", "\(ids.count)")]
        case .doubt(let position, let slots): [("type", "doubt")] + extent(position, slots)
        case .trust(let position, let slots): [("type", "trust")] + extent(position, slots)
        case .leftSlots(let position, let slots): [("type", "leftSlots")] + extent(position, slots)
        case .dropChunks(let blob, let indexes, let watermark):
            [
                ("type", "dropChunks"), ("blob", "\(blob)"), ("chunks", "\(indexes.count)"),
                ("watermark", "\(LogPosition(rawValue: watermark))"),
            ]
        case .leftPartitions(let position, _, let partitions):
            [
                ("type", "leftPartitions"), ("before", "\(LogPosition(rawValue: position))"),
                ("partitions", "\(partitions.count)"),
            ]
        case .floor(let floor): [("type", "floor"), ("ballot", "\(floor.ballot)"), ("sequence", "\(floor.sequence)")]
        case .purge(let purged, let watermark):
            [("type", "purge"), ("keys", "\(purged.count)"), ("watermark", "\(LogPosition(rawValue: watermark))")]
        }
    }

    private static func register(_ name: RegisterName) -> [(String, String)] {
        [
            ("bucket", "\(name.bucket)"), ("keyspace", "\(name.keyspace)"),
            ("key", String(decoding: name.key, as: UTF8.self).debugDescription),
        ]
    }

    private static func state(_ value: RegisterValue) -> [(String, String)] {
        [
            ("tag", "\(value.tag)"), ("sequence", "\(value.sequence)"), ("deleted", "\(value.isTombstone)"),
            ("size", "\(value.contentSize)"), ("blobs", value.blobs.map { "\($0)" }.joined(separator: ",")),
        ]
    }

    private static func extent(_ position: UInt64, _ slots: SlotSet) -> [(String, String)] {
        [("before", "\(LogPosition(rawValue: position))"), ("slots", "\(slots.slots.count)")]
    }
}
