import NIOCore

/// A record met while the log is opened. The payload stays on the disk.
public struct ReplayedRecord: Sendable {
    public let position: LogPosition
    public let type: UInt8
    public let head: [UInt8]
    public let payloadSize: Int
    public let payloadChecksum: UInt32
    /// False: the payload was changed or lost on the disk after it had been written.
    public let payloadIntact: Bool
    public let recordSize: Int
    /// The position behind this record: what an index that has it gives as its checkpoint.
    public var end: LogPosition { position.advanced(by: RecordHeader.aligned(recordSize)) }
}

/// A stretch of the log that once held synced records and cannot be read.
public struct LogDamage: Sendable, Equatable, CustomStringConvertible {
    public let position: LogPosition
    public let size: Int
    /// Number of records missing, where the numbering tells.
    public let records: UInt64?
    public let kind: Kind

    public enum Kind: Sendable, Equatable {
        /// Nobody knows what stood there.
        case unreadable
        /// The numbering tells that records are missing before this place.
        case missing
        /// The record is known, its payload is damaged.
        case payload
        /// The log ends before the checkpoint of its index.
        case truncated
    }

    public var description: String {
        "\(kind) at \(position), \(size) bytes, \(records.map(String.init) ?? "unknown number of") records"
    }
}

/// What opening a log found.
public struct RecoveryReport: Sendable {
    /// Records handed to the index.
    public var replayed = 0
    /// Reported whether or not the index has them.
    public var damages: [LogDamage] = []
    /// Where an interrupted write was cut off, and its size.
    public var cut: (position: LogPosition, size: Int)?
    /// Where appending goes on.
    public var end = LogPosition.start
}

/// Opens the segments from a checkpoint on, replays them and finds the place to go on.
struct LogRecovery {
    let directory: any LogDirectory
    let owner: LogOwner
    let seed: UInt32
    let checkpoint: LogPosition
    let replay: (ReplayedRecord) throws -> Void

    private(set) var report = RecoveryReport()
    private(set) var nextSequence: UInt64 = 1
    /// The segment that appending goes on with; nil: none has records.
    private(set) var current: SegmentFile?
    private(set) var spares: [SegmentFile] = []
    private(set) var nextNumber: UInt32 = 1

    private struct Scanned {
        let segment: SegmentFile
        let bytes: [UInt8]
        var scan: SegmentScan
    }

    init(
        directory: any LogDirectory, owner: LogOwner, seed: UInt32, checkpoint: LogPosition,
        replay: @escaping (ReplayedRecord) throws -> Void
    ) {
        self.directory = directory
        self.owner = owner
        self.seed = seed
        self.checkpoint = checkpoint
        self.replay = replay
    }

    mutating func run() throws {
        try SegmentFile.removeUnfinished(in: directory)
        let numbers = try directory.names().compactMap(SegmentFile.number(of:)).sorted()
        nextNumber = (numbers.last ?? 0) + 1
        let first = try firstToScan(numbers)
        var pending: Scanned?
        var hasScanned = false
        for number in numbers[first...] {
            let scanned = try scan(number)
            if scanned.scan.isEmpty {
                spares.append(scanned.segment)
                continue
            }
            if let pending { try finish(pending, isLast: false, checksSequence: hasScanned) }
            hasScanned = pending != nil
            dropSparesBefore(scanned.segment)
            pending = scanned
        }
        if let pending { try finish(pending, isLast: true, checksSequence: hasScanned) }
        if checkpoint > report.end {
            report.damages.append(LogDamage(position: report.end, size: 0, records: nil, kind: .truncated))
        }
    }

    /// The segment of the checkpoint, or the one before it that has records: the numbering goes on from there.
    private func firstToScan(_ numbers: [UInt32]) throws -> Int {
        var first = max(0, (numbers.firstIndex { $0 > checkpoint.segment } ?? numbers.count) - 1)
        while first > 0, try scan(numbers[first]).scan.isEmpty { first -= 1 }
        return first
    }

    private func scan(_ number: UInt32) throws -> Scanned {
        let segment = try SegmentFile.open(number, disk: owner.disk, in: directory)
        let bytes = try segment.file.read(count: segment.capacity, at: 0)
        let scan = bytes.withUnsafeBytes { SegmentScan($0, segment: number, seed: seed) }
        return Scanned(segment: segment, bytes: bytes, scan: scan)
    }

    /// An empty segment between segments with records has lost its content; the numbering of records tells.
    private mutating func dropSparesBefore(_ segment: SegmentFile) {
        spares.removeAll { $0.number < segment.number }
    }

    private mutating func finish(_ scanned: Scanned, isLast: Bool, checksSequence: Bool) throws {
        var scanned = scanned
        let number = scanned.segment.number
        if isLast {
            if let torn = scanned.scan.tornFrom(segment: number) { try cut(&scanned, at: torn) }
            // What the crash left in the system's cache is about to be shown: it must be on the disk first.
            try scanned.segment.file.sync()
            current = scanned.segment
        }
        var gaps = scanned.scan.gaps[...]
        for found in scanned.scan.records {
            let offset = Int(found.header.position.offset)
            var gap: Range<Int>?
            if let next = gaps.first, next.lowerBound < offset { gap = gaps.removeFirst() }
            let missing = found.header.sequence &- nextSequence
            let knowsSequence = checksSequence || found.header.position != scanned.scan.records.first?.header.position
            if let gap {
                note(number, gap, records: knowsSequence ? missing : nil, .unreadable)
            } else if knowsSequence, missing > 0 {
                note(number, offset..<offset, records: missing, .missing)
            }
            nextSequence = found.header.sequence + 1
            try deliver(found, in: scanned)
        }
        for gap in gaps { note(number, gap, records: nil, .unreadable) }
        report.end = LogPosition(segment: number, offset: UInt32(scanned.scan.end))
    }

    private mutating func note(_ segment: UInt32, _ range: Range<Int>, records: UInt64?, _ kind: LogDamage.Kind) {
        let position = LogPosition(segment: segment, offset: UInt32(range.lowerBound))
        report.damages.append(LogDamage(position: position, size: range.count, records: records, kind: kind))
    }

    private mutating func deliver(_ found: SegmentScan.Found, in scanned: Scanned) throws {
        let header = found.header
        if !found.payloadIntact {
            let offset = Int(header.position.offset)
            note(scanned.segment.number, offset..<offset + header.recordSize, records: 1, .payload)
        }
        guard header.position >= checkpoint, header.type != ObjectLog.markType else { return }
        let start = Int(header.position.offset) + RecordHeader.size
        report.replayed += 1
        try replay(
            ReplayedRecord(
                position: header.position, type: header.type,
                head: Array(scanned.bytes[start..<start + header.headLength]),
                payloadSize: header.payloadLength, payloadChecksum: header.payloadChecksum,
                payloadIntact: found.payloadIntact, recordSize: header.recordSize))
    }

    /// Cuts an interrupted write and overwrites it with zeros, lest whole records of it come back later.
    private mutating func cut(_ scanned: inout Scanned, at offset: Int) throws {
        let last = scanned.bytes.lastIndex { $0 != 0 } ?? offset
        report.cut = (LogPosition(segment: scanned.segment.number, offset: UInt32(offset)), max(0, last + 1 - offset))
        scanned.scan.cut(at: offset)
        let zeros = [UInt8](repeating: 0, count: 1 << 20)
        var next = offset
        while next <= last {
            let count = min(zeros.count, last + 1 - next)
            try scanned.segment.file.write(Array(zeros[0..<count]), at: next)
            next += count
        }
    }
}
