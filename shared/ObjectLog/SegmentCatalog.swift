/// A segment of the log, by its name and size: nothing of it was read.
public struct SegmentInfo: Equatable, Sendable {
    public let number: UInt32
    /// Bytes that it takes of the disk.
    public let capacity: Int
    /// Full, with its footer synced: nothing will be appended to it any more.
    public let isSealed: Bool
    /// Every record of it stands before this position. Of a sealed segment it is the end of the file.
    public let end: LogPosition
}

/// Which segments there are, and which were removed. Spares are not among them.
struct SegmentCatalog: Sendable {
    /// Sizes of those that have records, or are the active one.
    private(set) var sizes: [UInt32: Int] = [:]
    var removed = RemovedSegments()
    /// Removed, but their space is not free yet.
    var marked: Set<UInt32> = []

    mutating func use(_ segment: SegmentFile) { sizes[segment.number] = segment.capacity }
    mutating func use(_ number: UInt32, size: Int) { sizes[number] = size }

    mutating func remove(_ number: UInt32) {
        sizes[number] = nil
        removed.insert(number)
        marked.insert(number)
    }
}

extension ObjectLog {
    /// The segments that may have records, the active one last.
    public var segments: [SegmentInfo] {
        let (active, offset, sealing) = state.withLock { ($0.segment.number, $0.nextOffset, $0.sealing) }
        return catalog.withLock { $0.sizes }.sorted { $0.key < $1.key }.filter { $0.key <= active }.map {
            number, size in
            let end = UInt32(clamping: number == active ? offset : size)
            return SegmentInfo(
                number: number, capacity: size, isSealed: number < active && !sealing.contains(number),
                end: LogPosition(segment: number, offset: end))
        }
    }

    /// Of the file system.
    public func space() throws(ObjectLogError) -> DiskSpace {
        do { return try directory.space() } catch { throw .file(error) }
    }

    /// Reads a segment from its begin, as far as it is synced.
    public func reader(of segment: UInt32) throws(ObjectLogError) -> SegmentReader {
        let limit = state.withLock { state -> Int? in
            if segment > state.durable.segment { return SegmentFile.headerSize }
            guard segment == state.durable.segment else { return nil }
            return segment == state.segment.number || state.sealing.contains(segment)
                ? Int(state.durable.offset) : nil
        }
        let file = try file(of: segment)
        do { return try SegmentReader(file, seed: seed, limit: limit) } catch { throw .file(error) }
    }

    /// Removes a sealed segment for good: the caller has made sure that nothing live is in it. It works on a full disk.
    /// When this throws, its records are gone or not; asking again is harmless, and frees the space if that was missing.
    public func remove(segment number: UInt32) throws(ObjectLogError) {
        try state.withLock { state throws(ObjectLogError) in
            try state.checkOpen()
            guard number < state.segment.number, !state.sealing.contains(number) else { throw .inUse(number) }
        }
        try removal.withLock { (_) throws(ObjectLogError) in
            // As long as it is open, the file system gives nothing of it back.
            var opened = try? files.open(number)
            do throws(FileError) {
                if catalog.withLock({ $0.sizes[number] != nil }) {
                    try RemovedSegments.mark(number, in: directory)
                    catalog.withLock { $0.remove(number) }
                    files.forget(number)
                }
                let (removed, marked) = catalog.withLock { ($0.removed, $0.marked) }
                guard !marked.isEmpty else { return }
                try removed.settle(marked.sorted(), in: directory)
                catalog.withLock { $0.marked.subtract(marked) }
                if let segment = opened.take() { RemovedSegments.giveBack(segment) }
            } catch { throw .file(error) }
        }
        supply.retry()
    }
}
