import ObjectLog

/// What reading every byte of a log finds.
struct LogVerification: Encodable, Equatable {
    struct Segment: Encodable, Equatable {
        var number: UInt32
        var size: Int
        /// "sealed", "open" (the last one with records), "prepared" (no records yet).
        var state: String
        /// nil: not read.
        var records: Int?
        var bytes: Int?
        var damages: Int?
    }

    struct Damage: Encodable, Equatable {
        var position: String
        var size: Int
        var kind: String
        /// Of the record, where it is known.
        var what: String?
    }

    var node: String
    var disk: String
    var segments: [Segment] = []
    var damages: [Damage] = []
    /// Where a write was interrupted: the next start cuts it off. No damage.
    var interruptedAt: String?
    var isVerified = false

    var isHealthy: Bool { damages.isEmpty }

    init(_ log: LogInspection) {
        node = log.owner.node.rawValue
        disk = "\(log.owner.disk)"
        segments = log.segments.map {
            Segment(number: $0.number, size: $0.size, state: $0.isSealed ? "sealed" : "open")
        }
        damages = log.damages.map { Damage(position: "\($0.position)", size: $0.size, kind: "\($0.kind)") }
        damages += log.segments.filter { !$0.isHeaderIntact }
            .map { Damage(position: "\($0.number):0", size: 0, kind: "segmentHeader") }
    }

    /// Reads all. `progress`: bytes read so far and in all, after each segment.
    mutating func verify(_ log: LogInspection, progress: (Int, Int) -> Void) throws(ObjectLogError) {
        let all = segments.reduce(0) { $0 + $1.size }
        var read = 0
        /// Of the last segment that holds anything; what nobody has written behind is no damage.
        var tail: Damage?
        /// Of the records in the segment that was written last, as far as the log knows.
        var end = LogPosition(segment: log.knownEnd.segment, offset: 0)
        for index in segments.indices {
            let found = try verify(&segments[index], log)
            if found.hasContent, let before = tail {
                damages.append(before)
                tail = nil
            }
            damages += found.damages
            tail = found.tail ?? tail
            if found.end.segment == end.segment { end = found.end }
            read += segments[index].size
            progress(read, all)
        }
        isVerified = true
        guard end < log.knownEnd else { return interruptedAt = tail?.position }
        let size = Int(log.knownEnd.offset) - Int(end.offset)
        damages.append(Damage(position: "\(end)", size: size, kind: "lostEnd"))
    }

    private struct Found {
        var damages: [Damage] = []
        /// Damage behind the last record of a segment without a footer.
        var tail: Damage?
        var hasContent = false
        /// Behind the last whole record.
        var end: LogPosition
    }

    private func verify(_ segment: inout Segment, _ log: LogInspection) throws(ObjectLogError) -> Found {
        let reader = try log.reader(of: segment.number)
        var found = Found(end: reader.end)
        var (records, bytes, damaged) = (0, 0, 0)
        while let item = try reader.next() {
            found.hasContent = true
            if let tail = found.tail { found.damages.append(tail) }
            found.tail = nil
            switch item {
            case .record(let record):
                records += 1
                bytes += record.recordSize
                guard !record.payloadIntact else { continue }
                damaged += 1
                found.damages.append(
                    Damage(
                        position: "\(record.position)", size: record.recordSize, kind: "payload",
                        what: RecordDescription.line(type: record.type, head: record.head)))
            case .damage(let damage):
                damaged += 1
                let size = Int(damage.range.upperBound.offset) - Int(damage.range.lowerBound.offset)
                let entry = Damage(
                    position: "\(damage.range.lowerBound)", size: size,
                    kind: damage.isUnreadable ? "unreadable" : damage.isOwn ? "footer" : "damaged",
                    what: damage.known.map { RecordDescription.line(type: $0.type, head: $0.head) })
                if segment.state == "sealed" || damage.isUnreadable || damage.known != nil {
                    found.damages.append(entry)
                } else {
                    found.tail = entry
                }
            }
        }
        found.end = reader.end
        if !found.hasContent, segment.state == "open" { segment.state = "prepared" }
        (segment.records, segment.bytes, segment.damages) = (records, bytes, damaged)
        return found
    }
}
