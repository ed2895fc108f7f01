import ObjectLog

/// The id of a hint outside its disk: which disk, then the position of its record. Ids of one disk grow.
struct HintID: Hashable, Sendable {
    private static let segmentBits: UInt64 = 27
    private static let offsetBits: UInt64 = 27
    /// Records begin at multiples of it.
    private static let alignment: UInt64 = 8

    var disk: Int
    /// Raw position in the log of the disk.
    var position: UInt64

    init(disk: Int, position: UInt64) {
        self.disk = disk
        self.position = position
    }

    init(_ id: UInt64) {
        let offset = id & (1 << Self.offsetBits - 1)
        let segment = id >> Self.offsetBits & (1 << Self.segmentBits - 1)
        disk = Int(id >> (Self.segmentBits + Self.offsetBits))
        position = segment << 32 | offset * Self.alignment
    }

    var rawValue: UInt64 {
        let offset = (position & 0xffff_ffff) / Self.alignment
        return UInt64(disk) << (Self.segmentBits + Self.offsetBits)
            | (position >> 32 & (1 << Self.segmentBits - 1)) << Self.offsetBits | offset
    }
}
