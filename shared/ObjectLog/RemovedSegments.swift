import Checksums
import Glibc

/// Numbers of the segments that were removed on purpose: a segment that is missing and not among them is lost.
///
/// A segment is renamed first, which needs no space and is durable with the next sync of the directory; then its number
/// is written to the file `removed`, and the renamed file goes. When the disk has no room even for that, the renamed file
/// is emptied before. At the next start a removal that a crash interrupted is finished: no segment comes back.
struct RemovedSegments: Equatable, Sendable {
    static let fileName = "removed"
    private static let title = "martlet removed segments 1"

    private static let pauseMicroseconds: UInt32 = 1000
    private static let pausesForReaders = 20

    private(set) var ranges: [ClosedRange<UInt32>] = []

    var largest: UInt32 { ranges.last?.upperBound ?? 0 }

    func contains(_ number: UInt32) -> Bool {
        let index = ranges.partitioningIndex { $0.upperBound >= number }
        return index < ranges.count && ranges[index].contains(number)
    }

    mutating func insert(_ number: UInt32) {
        let index = ranges.partitioningIndex { $0.upperBound >= number }
        if index < ranges.count, ranges[index].contains(number) { return }
        var range = number...number
        var replaced = index..<index
        if index > 0, ranges[index - 1].upperBound == number - 1 {
            range = ranges[index - 1].lowerBound...number
            replaced = index - 1..<index
        }
        if index < ranges.count, ranges[index].lowerBound == number + 1 {
            range = range.lowerBound...ranges[index].upperBound
            replaced = replaced.lowerBound..<index + 1
        }
        ranges.replaceSubrange(replaced, with: [range])
    }

    // MARK: - File

    /// A text: title, one range a line, the CRC32C of what is above.
    var text: String {
        let body = Self.title + "\n" + ranges.map { "\($0.lowerBound)-\($0.upperBound)\n" }.joined()
        return body + "crc32c \(String(crc32c(Array(body.utf8)), radix: 16))\n"
    }

    init() {}

    /// nil: the text is damaged.
    init?(_ text: String) {
        let lines = text.split(separator: "\n", omittingEmptySubsequences: false)
        guard lines.count >= 3, lines[0] == Self.title, lines.last == "" else { return nil }
        for line in lines[1..<lines.count - 2] {
            let bounds = line.split(separator: "-").compactMap { UInt32($0) }
            guard bounds.count == 2, bounds[0] <= bounds[1], bounds[0] > largest || ranges.isEmpty else { return nil }
            ranges.append(bounds[0]...bounds[1])
        }
        guard self.text == text else { return nil }
    }

    /// nil: there is no file, or it is damaged.
    static func load(from directory: any LogDirectory) throws(FileError) -> RemovedSegments? {
        let size = try directory.size(of: fileName)
        return RemovedSegments(
            String(decoding: try directory.open(fileName).read(count: size, at: 0), as: UTF8.self))
    }

    static func markName(_ number: UInt32) -> String { SegmentFile.name(number) + ".removed" }

    static func number(ofMark name: String) -> UInt32? {
        name.hasSuffix(".removed") ? SegmentFile.number(of: String(name.dropLast(".removed".count))) : nil
    }

    /// From here on the segment is gone.
    static func mark(_ number: UInt32, in directory: any LogDirectory) throws(FileError) {
        do throws(FileError) { try directory.rename(SegmentFile.name(number), to: markName(number)) } catch {
            guard error.isMissing else { throw error }
        }
        try directory.sync()
    }

    /// Writes the list, then gives the space of marked segments free.
    func settle(_ marked: [UInt32], in directory: any LogDirectory) throws(FileError) {
        do throws(FileError) { try write(to: directory) } catch {
            guard error.isDiskFull else { throw error }
            for number in marked { _ = try directory.create(Self.markName(number)) }
            try write(to: directory)
        }
        for number in marked { try directory.remove(Self.markName(number)) }
        try directory.sync()
    }

    /// Frees the space of a segment without a name slice by slice, unless somebody still reads it: then it becomes free
    /// in one piece when that ends. In one piece it holds up the syncs of records.
    static func giveBack(_ segment: consuming SegmentFile) {
        for _ in 0..<Self.pausesForReaders where !isKnownUniquelyReferenced(&segment) { usleep(pauseMicroseconds) }
        guard isKnownUniquelyReferenced(&segment) else { return }
        for size in stride(from: segment.capacity, to: 0, by: -SegmentFile.slice).dropFirst() {
            segment.file.cut(to: size)
            usleep(pauseMicroseconds)
        }
    }

    private func write(to directory: any LogDirectory) throws(FileError) {
        let file = try directory.create(Self.fileName + ".new")
        try file.write(Array(text.utf8), at: 0)
        try file.sync()
        try directory.rename(Self.fileName + ".new", to: Self.fileName)
        try directory.sync()
    }
}

extension [ClosedRange<UInt32>] {
    fileprivate func partitioningIndex(_ isBehind: (Element) -> Bool) -> Int {
        var low = 0
        var high = count
        while low < high {
            let middle = (low + high) / 2
            if isBehind(self[middle]) { high = middle } else { low = middle + 1 }
        }
        return low
    }
}

extension FileError {
    var isMissing: Bool { code == 2 }  // ENOENT
}
