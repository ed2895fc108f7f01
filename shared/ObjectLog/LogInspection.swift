import Checksums

/// The directory of a log, to be looked at: nothing in it is changed.
public struct LogInspection {
    public struct Segment: Sendable, Equatable {
        public let number: UInt32
        /// Of its file.
        public let size: Int
        /// It has a footer: nothing is appended to it any more.
        public let isSealed: Bool
        /// False: the first bytes of the file are damaged. Its records can be read all the same.
        public let isHeaderIntact: Bool
    }

    public let owner: LogOwner
    /// In the order of their numbers, prepared ones without records too.
    public let segments: [Segment]
    /// What names and sizes tell: lost and truncated segments, a damaged list of removed ones.
    public let damages: [LogDamage]
    /// What is whole must reach up to here; ``LogPosition/start``: nobody knows.
    public let knownEnd: LogPosition
    private let directory: any LogDirectory
    private let seed: UInt32

    /// Throws `foreign` when the directory is not one of a log, and `file` when it cannot be read.
    public init(_ directory: any LogDirectory) throws(ObjectLogError) {
        guard let owner = try LogOwner.read(directory) else {
            throw .foreign("\(directory.path) is not the directory of an object log")
        }
        let seed = crc32c(owner.disk.bytes)
        var segments: [Segment] = []
        var damages: [LogDamage] = []
        var knownEnd = LogPosition.start
        do {
            // Before the segments: a node that runs writes it after them.
            let mark = try EndMark.read(directory, owner: owner, seed: seed)
            let inventory = try SegmentInventory(directory)
            damages = inventory.damages
            if mark == .lost {
                damages.append(LogDamage(position: .start, size: 0, records: nil, kind: .lostEnd))
            } else if mark.position.segment > inventory.removed.largest {
                knownEnd = mark.position
            }
            for number in inventory.numbers {
                let file = try SegmentFile.open(number, disk: owner.disk, in: directory)
                if let truncation = file.truncation { damages.append(truncation) }
                segments.append(
                    Segment(
                        number: number, size: file.capacity, isSealed: try file.trailer(seed: seed) != nil,
                        isHeaderIntact: file.headerIntact))
            }
        } catch let error as ObjectLogError { throw error } catch let error as FileError { throw .file(error) } catch {
            throw .foreign("\(error)")
        }
        self.owner = owner
        self.directory = directory
        self.seed = seed
        self.segments = segments
        self.damages = damages
        self.knownEnd = knownEnd
    }

    /// Reads a segment from its beginning, or from the offset of a record.
    public func reader(of segment: UInt32, from offset: Int? = nil) throws(ObjectLogError) -> SegmentReader {
        let file = try SegmentFile.open(segment, disk: owner.disk, in: directory)
        do throws(FileError) {
            return try SegmentReader(file, seed: seed, from: offset ?? SegmentFile.headerSize)
        } catch { throw .file(error) }
    }
}
