import Model
import Ring

/// How keys are cut into partitions: fixed when a cluster is made.
public struct PartitionCut: Sendable, Equatable {
    /// 16 bytes.
    public let hashKey: [UInt8]
    /// A power of two.
    public let count: Int
    private let hash: PositionHash

    /// nil: no ring is cut like that.
    public init?(hashKey: [UInt8], count: Int) {
        guard let hash = PositionHash(key: hashKey), count > 0, count <= RingTable.partitionsMax,
            count & (count - 1) == 0
        else { return nil }
        self.hashKey = hashKey
        self.count = count
        self.hash = hash
    }

    /// - Parameter key: the index key of a register or the ring key of a chunk.
    public func partition(of key: [UInt8]) -> UInt32 {
        UInt32(truncatingIfNeeded: hash.position(key) >> UInt64(64 - count.trailingZeroBitCount))
    }
}
