/// What a log holds, counted.
struct DiagnosisSummary: Encodable, Sendable, Equatable {
    var segments = 0
    var records = 0
    var bytes = 0
    var live = 0
    var liveBytes = 0
    var garbage = 0
    var garbageBytes = 0
    /// Records of the node itself.
    var control = 0
    /// Records and stretches that cannot be read.
    var damaged = 0
    var damagedBytes = 0

    mutating func add(_ row: DiagnosisRow) {
        bytes += row.size
        if row.kind != .gap { records += 1 }
        if row.isDamaged {
            damaged += 1
            damagedBytes += row.size
        }
        switch row.standing {
        case .live:
            live += 1
            liveBytes += row.size
        case .garbage:
            garbage += 1
            garbageBytes += row.size
        case .control: control += 1
        case nil: break
        }
    }
}

/// One line of a diagnosis: a record of the log, or a stretch that is none.
struct DiagnosisRow: Sendable, Equatable {
    enum Kind: String, Sendable {
        case register, blob, chunk, ceiling, hint, doubt, trust, floor, purge
        case forgetHints = "forget-hints"
        case leftSlots = "left-slots"
        case leftPartitions = "left-partitions"
        case dropChunks = "drop-chunks"
        /// Of the log itself.
        case log
        /// Where records should stand and none can be read.
        case gap
    }

    static let header = [
        "segment", "offset", "type", "bucket_or_blob", "keyspace", "key", "child", "size", "content_size", "time",
        "deleted", "state",
    ].joined(separator: "\t")

    var segment: UInt32
    var offset: UInt32
    var kind: Kind
    /// Id of the bucket; of content: of the blob.
    var address = ""
    var keyspace = ""
    /// Percent-encoded where it is not printable ASCII.
    var key = ""
    /// Number of a chunk.
    var child = ""
    /// Bytes in the log.
    var size: Int
    /// Of the object or the content.
    var contentSize: UInt64?
    /// Wall clock, milliseconds.
    var milliseconds: Int64?
    var isDeleted = false
    var standing: RecordStanding?
    var isDamaged = false

    var line: String {
        let state = isDamaged ? "damaged" : standing?.rawValue ?? "log"
        let fields: [String] = [
            String(segment), String(offset), kind.rawValue, address, keyspace, key, child, String(size),
            contentSize.map { String($0) } ?? "", milliseconds.map { String($0) } ?? "", isDeleted ? "1" : "0", state,
        ]
        return fields.joined(separator: "\t")
    }
}
