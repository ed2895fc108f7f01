import Checksums

/// What the last segment of a log holds, found before anything in it is shown: an interrupted write may be at its end.
struct SegmentSurvey {
    /// Offsets where records are missing, or anything but zeros behind the last one.
    private(set) var gaps: [Range<Int>] = []
    /// Offsets of records with a damaged payload.
    private(set) var broken: [Int] = []
    /// Everything before was synced, by what the records say, or the end mark.
    private(set) var durable: LogPosition
    /// Behind the last record.
    private(set) var end = SegmentFile.headerSize
    /// Behind the last byte that is not zero.
    private(set) var contentEnd = SegmentFile.headerSize
    /// A whole footer ends it.
    private(set) var isSealed = false
    /// The device refused to read some of it.
    private(set) var isUnreadable = false
    private let segment: UInt32

    init(_ window: SegmentWindow, seed: UInt32, endMark: LogPosition) throws(FileError) {
        segment = window.segment.number
        durable = endMark
        var scan = RecordScan(window, seed: seed)
        let trailer = try window.segment.trailer(seed: seed)
        while let step = try scan.next() {
            switch step {
            case .gap(let range): gaps.append(range)
            case .record(let header, let isIntact):
                let offset = Int(header.position.offset)
                if !isIntact { broken.append(offset) }
                durable = max(durable, header.durable)
                end = scan.offset
                isSealed = isIntact && offset == trailer?.lastBlock
            }
        }
        contentEnd = try scan.endOfContent(from: end)
        let isTrailer = isSealed ? try scan.isZero(end..<scan.limit) : false
        if contentEnd > end, !isTrailer { gaps.append(end..<contentEnd) }
        isSealed = isTrailer
        isUnreadable = !window.unreadable.isEmpty
    }

    /// Where the interrupted write begins: the first thing that is not whole and that no record says was synced.
    var tornFrom: Int? {
        let offsets = broken + gaps.map(\.lowerBound)
        return offsets.filter { LogPosition(segment: segment, offset: UInt32($0)) >= durable }.min()
    }
}

extension RecordScan {
    func isZero(_ range: Range<Int>) throws(FileError) -> Bool {
        var offset = range.lowerBound
        while offset < range.upperBound {
            let part = try window.bytes(at: offset, count: min(1 << 20, range.upperBound - offset))
            guard !part.isEmpty else { return true }
            guard part.isZero else { return false }
            offset += part.count
        }
        return true
    }
}
