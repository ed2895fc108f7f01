import NIOCore

/// Opens the segments from a checkpoint on, replays them and finds the place to go on.
///
/// Sealed segments are replayed by their footers, without reading their content. The last segment with records is read as
/// a whole, because an interrupted write may be at its end.
struct LogRecovery {
    let directory: any LogDirectory
    let owner: LogOwner
    let seed: UInt32
    let segmentSize: Int
    let checkpoint: LogPosition
    /// Everything before was synced, by what stands beside the segments; ``LogPosition/start``: nothing is known.
    private let endMark: LogPosition
    let replay: (ReplayedRecord) throws -> Void

    var report = RecoveryReport()
    private(set) var nextSequence: UInt64 = 1
    private(set) var catalog = SegmentCatalog()
    private var inventory: SegmentInventory?
    /// The segment that appending goes on with; nil: another one is begun.
    private var current: SegmentFile?
    private var footer: FooterBuilder?
    private var spares: [SegmentFile] = []
    /// Behind the last record of the segment that the end mark names.
    private var markedSegmentEnd: Int?
    /// Of the record that should come next; nil: segments before it were removed or not read.
    private var expected: UInt64?

    init(
        directory: any LogDirectory, owner: LogOwner, seed: UInt32, segmentSize: Int, checkpoint: LogPosition,
        endMark: LogPosition, replay: @escaping (ReplayedRecord) throws -> Void
    ) {
        self.directory = directory
        self.owner = owner
        self.seed = seed
        self.segmentSize = segmentSize
        self.checkpoint = checkpoint
        self.endMark = endMark
        self.replay = replay
    }

    mutating func run() throws {
        try SegmentFile.removeUnfinished(in: directory)
        var inventory = try SegmentInventory(directory)
        try inventory.settle(in: directory)
        try inventory.noteTruncated(segmentSize: segmentSize) { try open($0) }
        report.damages = inventory.damages
        catalog.removed = inventory.removed
        catalog.marked = inventory.marked
        self.inventory = inventory
        let last = max(try findLast(inventory), lastMarked(inventory))
        spares.removeAll { $0.number <= last }
        for number in inventory.numbers where number <= last { catalog.use(number, size: inventory.sizes[number]!) }
        try replaySegments(inventory.numbers.filter { $0 >= min(checkpoint.segment, last) && $0 <= last }, last)
        let end = current.map { ($0.number, Int(report.end.offset)) }
        let next = spares.first?.number ?? nextNumber
        report.end = LogPosition(segment: end?.0 ?? next, offset: UInt32(end?.1 ?? SegmentFile.headerSize))
        let lost = lostEnd(after: last, inventory)
        if let lost { report.damages.append(lost) }
        let reached = lost?.position ?? report.end
        if checkpoint > reached {
            report.damages.append(LogDamage(position: reached, size: 0, records: nil, kind: .truncated))
        }
    }

    private func open(_ number: UInt32) throws(ObjectLogError) -> SegmentFile {
        try SegmentFile.open(number, disk: owner.disk, in: directory)
    }

    // MARK: - The end of the log

    /// The last segment that was used by what the end mark says; 0: it says nothing of segments that are here.
    private func lastMarked(_ inventory: SegmentInventory) -> UInt32 {
        // A segment that was removed had been sealed: what was in it was done with.
        endMark.segment > inventory.removed.largest ? endMark.segment : 0
    }

    /// Numbers are never used again, not even those of segments that only the end mark knows of.
    private var nextNumber: UInt32 { max(inventory?.nextNumber ?? 1, endMark.segment + 1) }

    /// Records that were synced are gone behind everything that is left.
    private func lostEnd(after last: UInt32, _ inventory: SegmentInventory) -> LogDamage? {
        // A segment is begun only when the one before it is synced: with records in a later one nothing was lost here.
        guard last > 0, last == lastMarked(inventory) else { return nil }
        let end = markedSegmentEnd ?? SegmentFile.headerSize
        guard end < Int(endMark.offset) else { return nil }
        return LogDamage(
            position: LogPosition(segment: endMark.segment, offset: UInt32(end)), size: Int(endMark.offset) - end,
            records: nil, kind: .lostEnd)
    }

    /// Number of the last segment that was used, 0: none. The ones behind it are spares.
    ///
    /// A write never begins a segment before the one before it is synced, so an interrupted one can have touched the
    /// first spare only: that one is read as a whole.
    private mutating func findLast(_ inventory: SegmentInventory) throws -> UInt32 {
        var unused: [SegmentFile] = []
        for number in inventory.numbers.reversed() {
            let segment = try open(number)
            // Segments before a removed one were full, whatever is in them now.
            if number < inventory.removed.largest || segment.isTruncated { break }
            guard try isZero(segment, upTo: SegmentFile.headerSize + (64 << 10)) else { break }
            unused.insert(segment, at: 0)
        }
        if let first = unused.first, try !isZero(first, upTo: first.capacity) { unused.removeFirst() }
        spares = unused
        return inventory.numbers.dropLast(unused.count).last ?? 0
    }

    private func isZero(_ segment: SegmentFile, upTo end: Int) throws(FileError) -> Bool {
        let window = SegmentWindow(segment)
        let scan = RecordScan(window, seed: seed)
        let isZero = try scan.isZero(SegmentFile.headerSize..<min(end, segment.capacity))
        return isZero && window.unreadable.isEmpty
    }

    private mutating func replaySegments(_ numbers: [UInt32], _ last: UInt32) throws {
        var previous: UInt32?
        for number in numbers {
            if let previous, previous + 1 != number { crossMissing(previous + 1..<number) }
            previous = number
            let segment = try open(number)
            if number == last, number > catalog.removed.largest {
                try replayLast(segment)
            } else {
                try replaySealed(segment)
            }
        }
    }

    /// Where to append after opening.
    struct Start {
        var segment: SegmentFile
        var position: LogPosition
        var footer: FooterBuilder
        var spares: [SegmentFile]
        var nextNumber: UInt32
        /// The disk is full: nothing can be appended until there is another segment.
        var isEnded = false
    }

    func place(_ configuration: ObjectLogConfiguration) throws(ObjectLogError) -> Start {
        let number = nextNumber
        func start(_ segment: SegmentFile, spares: [SegmentFile] = [], next: UInt32? = nil) -> Start {
            Start(
                segment: segment,
                position: LogPosition(segment: segment.number, offset: UInt32(SegmentFile.headerSize)),
                footer: FooterBuilder(capacity: segment.capacity), spares: spares, nextNumber: next ?? number)
        }
        if let current, let footer {
            return Start(
                segment: current, position: report.end, footer: footer, spares: spares, nextNumber: number)
        }
        if let first = spares.first { return start(first, spares: Array(spares.dropFirst())) }
        do throws(FileError) {
            let made = try SegmentFile.prepare(
                number, capacity: configuration.segmentSize, disk: owner.disk, in: directory)
            return start(made, next: number + 1)
        } catch {
            guard error.isDiskFull, let last = catalog.sizes.keys.max() else {
                throw error.isDiskFull ? .diskFull : .file(error)
            }
            var ended = start(try open(last))
            ended.position = LogPosition(segment: last, offset: UInt32(ended.segment.capacity))
            ended.isEnded = true
            return ended
        }
    }

    /// The end mark is gone.
    mutating func noteUnknownEnd() {
        report.damages.append(LogDamage(position: report.end, size: 0, records: nil, kind: .lostEnd))
    }

    var hasLostEnd: Bool { report.damages.contains { $0.kind == .lostEnd } }

    // MARK: - Replay of one segment

    /// Segments between two that are there: lost ones, for which the numbering tells how much is gone, or removed ones.
    private mutating func crossMissing(_ numbers: Range<UInt32>) {
        if numbers.contains(where: catalog.removed.contains) { expected = nil }
    }

    private mutating func check(
        _ sequence: UInt64, at position: LogPosition, gap: Range<Int>? = nil, isOwn: Bool = false
    ) {
        let missing = expected.map { sequence &- $0 }
        expected = sequence + 1
        nextSequence = sequence + 1
        if let gap {
            note(position.segment, gap, records: missing, isOwn && missing ?? 1 <= 1 ? .footer : .unreadable)
        } else if let missing, missing > 0 {
            if let lost = report.damages.lastIndex(where: {
                $0.kind == .lostSegment && $0.end.segment == position.segment
            }),
                report.damages[lost].records == nil
            {
                report.damages[lost].records = missing
            } else {
                note(position.segment, Int(position.offset)..<Int(position.offset), records: missing, .missing)
            }
        }
    }

    private mutating func note(_ segment: UInt32, _ range: Range<Int>, records: UInt64?, _ kind: LogDamage.Kind) {
        let position = LogPosition(segment: segment, offset: UInt32(range.lowerBound))
        report.damages.append(LogDamage(position: position, size: range.count, records: records, kind: kind))
    }
}

// MARK: - Sealed segments

extension LogRecovery {
    private mutating func replaySealed(_ segment: SegmentFile) throws {
        let window = SegmentWindow(segment)
        var offset = SegmentFile.headerSize
        if let chain = try FooterChain(window, seed: seed), chain.isComplete {
            let scan = RecordScan(window, seed: seed)
            for start in chain.blocks {
                guard let block = try scan.footerBlock(at: start) else { break }
                try replay(block, of: segment.number, from: &offset)
            }
            if offset > chain.trailer.lastBlock {
                expected = chain.trailer.nextSequence
                nextSequence = chain.trailer.nextSequence
                return
            }
        }
        try replayReading(segment, from: offset)
    }

    private mutating func replay(_ block: FooterBlock, of segment: UInt32, from offset: inout Int) throws {
        for entry in block.entries {
            let position = LogPosition(segment: segment, offset: UInt32(entry.offset))
            check(entry.sequence, at: position, gap: entry.offset > offset ? offset..<entry.offset : nil)
            offset = entry.end
            try deliver(
                ReplayedRecord(
                    position: position, type: entry.type, head: entry.head, payloadSize: entry.payloadLength,
                    payloadChecksum: entry.payloadChecksum, payloadIntact: true, recordSize: entry.recordSize))
        }
        let position = LogPosition(segment: segment, offset: UInt32(block.offset))
        check(block.sequence, at: position, gap: block.offset > offset ? offset..<block.offset : nil)
        offset = block.end
    }

    /// Without a whole footer: everything is read.
    private mutating func replayReading(_ segment: SegmentFile, from offset: Int) throws {
        let reader = try SegmentReader(segment, seed: seed, from: offset)
        var gap: SegmentDamage?
        while let step = try reader.step() {
            switch step {
            case .own(let header): meet(header.sequence, at: header.position, behind: &gap)
            case .record(let record):
                meet(record.sequence, at: record.position, behind: &gap)
                try deliver(ReplayedRecord(record))
            case .damage(let damage):
                if let sequence = damage.sequence {
                    meet(sequence, at: damage.range.lowerBound, behind: &gap)
                    note(segment.number, damage.offsets, records: nil, .footer)
                    continue
                }
                if let gap { note(segment.number, gap.offsets, records: nil, gap.isOwn ? .footer : .unreadable) }
                gap = damage
                guard let known = damage.known else { continue }
                gap = nil
                check(known.sequence, at: damage.range.lowerBound)
                try deliver(ReplayedRecord(known, at: damage.range.lowerBound))
            }
        }
        if let gap { note(segment.number, gap.offsets, records: nil, gap.isOwn ? .footer : .unreadable) }
    }

    private mutating func meet(_ sequence: UInt64, at position: LogPosition, behind gap: inout SegmentDamage?) {
        check(sequence, at: position, gap: gap?.offsets, isOwn: gap?.isOwn ?? false)
        gap = nil
    }

    fileprivate mutating func deliver(_ record: ReplayedRecord) throws {
        if !record.payloadIntact {
            let offset = Int(record.position.offset)
            note(record.position.segment, offset..<offset + record.recordSize, records: 1, .payload)
        }
        guard record.position >= checkpoint, record.type != ObjectLog.markType,
            record.type != FooterBuilder.recordType
        else { return }
        report.replayed += 1
        try replay(record)
    }
}

// MARK: - The last segment

extension LogRecovery {
    fileprivate mutating func replayLast(_ segment: SegmentFile) throws {
        let window = SegmentWindow(segment)
        let survey = try SegmentSurvey(window, seed: seed, endMark: endMark)
        let isMarked = segment.number == endMark.segment
        if isMarked { markedSegmentEnd = survey.end }
        if segment.isTruncated || survey.isUnreadable || isMarked && survey.end < Int(endMark.offset) {
            // What cannot be read is no torn write: nothing is cut, and the log goes on in another segment.
            try segment.file.sync()
            return try replayReading(segment, from: SegmentFile.headerSize)
        }
        var end = survey.end
        let torn = survey.tornFrom
        if let torn {
            try cut(segment, from: torn, to: survey.contentEnd)
            end = torn
        }
        // What the crash left in the system's cache is about to be shown: it must be on the disk first.
        try segment.file.sync()
        var scan = RecordScan(SegmentWindow(segment), seed: seed, limit: end)
        footer = try replay(&scan, broken: Set(survey.broken))
        guard torn != nil || !survey.isSealed else { return }
        current = segment
        report.end = LogPosition(segment: segment.number, offset: UInt32(end))
    }

    /// Delivers what the survey found, and collects what the footer will say.
    private mutating func replay(_ scan: inout RecordScan, broken: Set<Int>) throws -> FooterBuilder {
        var footer = FooterBuilder(capacity: scan.window.segment.capacity)
        var gap: Range<Int>?
        while let step = try scan.next(verifyingPayload: false) {
            guard case .record(let header, _) = step else {
                if case .gap(let range) = step { gap = range }
                continue
            }
            check(header.sequence, at: header.position, gap: gap)
            gap = nil
            let offset = Int(header.position.offset)
            let isIntact = !broken.contains(offset)
            if header.type == FooterBuilder.recordType {
                if isIntact { footer.written(at: offset) }
                continue
            }
            let head = try scan.head(of: header)
            footer.add(header, head: head)
            try deliver(
                ReplayedRecord(
                    position: header.position, type: header.type, head: head, payloadSize: header.payloadLength,
                    payloadChecksum: header.payloadChecksum, payloadIntact: isIntact, recordSize: header.recordSize))
        }
        return footer
    }

    /// Cuts an interrupted write and overwrites it with zeros, lest whole records of it come back later.
    private mutating func cut(_ segment: SegmentFile, from offset: Int, to end: Int) throws {
        report.cut = (LogPosition(segment: segment.number, offset: UInt32(offset)), max(0, end - offset))
        let zeros = [UInt8](repeating: 0, count: min(1 << 20, max(1, end - offset)))
        var next = offset
        while next < end {
            let count = min(zeros.count, end - next)
            try segment.file.write(count == zeros.count ? zeros : Array(zeros[0..<count]), at: next)
            next += count
        }
    }
}

extension ReplayedRecord {
    fileprivate init(_ record: SegmentRecord) {
        self.init(
            position: record.position, type: record.type, head: record.head,
            payloadSize: record.payload.readableBytes, payloadChecksum: record.payloadChecksum,
            payloadIntact: record.payloadIntact, recordSize: record.recordSize)
    }

    fileprivate init(_ known: KnownRecord, at position: LogPosition) {
        // Its header is damaged: it cannot be read from where it stands, even when the payload is whole.
        self.init(
            position: position, type: known.type, head: known.head, payloadSize: known.payloadLength,
            payloadChecksum: known.payloadChecksum, payloadIntact: false, recordSize: known.recordSize)
    }
}

extension SegmentDamage {
    fileprivate var offsets: Range<Int> { Int(range.lowerBound.offset)..<Int(range.upperBound.offset) }
}
