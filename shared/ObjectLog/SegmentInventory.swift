/// What the names and sizes in a log directory tell: which segments there are, which were removed, which are lost.
struct SegmentInventory {
    /// Of the segments that are there, ascending.
    private(set) var numbers: [UInt32] = []
    private(set) var sizes: [UInt32: Int] = [:]
    private(set) var removed = RemovedSegments()
    /// Removals that a crash interrupted.
    private(set) var marked: Set<UInt32> = []
    /// Segments in the list of removed ones that are there all the same.
    private(set) var revived: [UInt32] = []
    private(set) var damages: [LogDamage] = []

    /// Changes nothing.
    init(_ directory: any LogDirectory) throws(FileError) {
        let names = try directory.names()
        if names.contains(RemovedSegments.fileName) {
            if let loaded = try RemovedSegments.load(from: directory) {
                removed = loaded
            } else {
                damages.append(LogDamage(position: .start, size: 0, records: nil, kind: .footer))
            }
        }
        marked = Set(names.compactMap(RemovedSegments.number(ofMark:)))
        for number in marked { removed.insert(number) }
        let found = names.compactMap(SegmentFile.number(of:)).sorted()
        revived = found.filter(removed.contains)
        numbers = found.filter { !removed.contains($0) }
        for number in numbers { sizes[number] = try directory.size(of: SegmentFile.name(number)) }
        noteLost()
    }

    var nextNumber: UInt32 { max(numbers.last ?? 0, removed.largest) + 1 }

    private mutating func noteLost() {
        var expected: UInt32 = 1
        for number in numbers + [nextNumber] {
            while expected < number {
                if !removed.contains(expected) {
                    let position = LogPosition(segment: expected, offset: 0)
                    damages.append(LogDamage(position: position, size: 0, records: nil, kind: .lostSegment))
                }
                expected += 1
            }
            expected = number + 1
        }
    }

    /// Looks into the header of one segment of each size that is not `segmentSize`: the others of that size are whole too.
    mutating func noteTruncated(segmentSize: Int, open: (UInt32) throws -> SegmentFile) throws {
        var whole: Set<Int> = [segmentSize]
        for number in numbers where !whole.contains(sizes[number]!) {
            let segment = try open(number)
            if let truncation = segment.truncation {
                damages.append(truncation)
            } else {
                whole.insert(segment.capacity)
            }
        }
    }

    /// Finishes removals that a crash interrupted. On a full disk that waits for a later one.
    mutating func settle(in directory: any LogDirectory) throws(FileError) {
        for number in revived {
            try RemovedSegments.mark(number, in: directory)
            marked.insert(number)
        }
        revived = []
        guard !marked.isEmpty else { return }
        do throws(FileError) { try removed.settle(marked.sorted(), in: directory) } catch {
            guard error.isDiskFull else { throw error }
            return
        }
        marked = []
    }
}
