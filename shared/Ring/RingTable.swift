import Model

/// The replicas of one partition, in order of preference.
public struct PartitionReplicas: Sendable, Hashable {
    public var current: [NodeName]
    /// Not empty while the partition moves: a quorum is then needed in both sets.
    public var next: [NodeName]
    /// The ring epoch at which this partition last changed.
    public var epoch: UInt64

    public init(current: [NodeName], next: [NodeName] = [], epoch: UInt64 = 0) {
        self.current = current
        self.next = next
        self.epoch = epoch
    }

    /// The sets in force, as `QuorumRule` takes them.
    public var sets: [[NodeName]] { next.isEmpty ? [current] : [current, next] }

    /// Every node of both sets once, current ones first.
    public var nodes: [NodeName] { current + next.filter { !current.contains($0) } }
}

/// Which nodes hold which part of the ring. The ring of 2^128 positions is cut into a power of two of equal
/// partitions, so the top bits of a position name its partition.
public struct RingTable: Sendable, Equatable {
    /// Grows with every change.
    public let epoch: UInt64
    /// 16 bytes, fixed at the creation of the cluster.
    public let hashKey: [UInt8]
    public let partitions: [PartitionReplicas]
    /// Every node of the table once, sorted.
    public let nodes: [NodeName]
    /// Of everything in the table: two processes with the same hash place every key alike.
    public let hash: UInt32

    private let positions: PositionHash
    private let shift: UInt64

    public static let partitionsMax = 1 << 20

    /// nil unless the key has 16 bytes, the partitions are a power of two and each has replicas, none of them twice.
    public init?(epoch: UInt64, hashKey: [UInt8], partitions: [PartitionReplicas]) {
        guard let positions = PositionHash(key: hashKey), partitions.count.isPowerOfTwo,
            partitions.count <= Self.partitionsMax,
            partitions.allSatisfy({ replicas in
                !replicas.current.isEmpty && replicas.sets.allSatisfy { Set($0).count == $0.count }
            })
        else { return nil }
        self.epoch = epoch
        self.hashKey = hashKey
        self.partitions = partitions
        self.positions = positions
        shift = UInt64(64 - partitions.count.trailingZeroBitCount)
        nodes = Set(partitions.flatMap(\.nodes)).sorted()
        hash = Self.contentHash(epoch: epoch, hashKey: hashKey, nodes: nodes, partitions: partitions)
    }

    public var partitionCount: Int { partitions.count }
    /// 8 hex digits, as `status` shows it.
    public var hashText: String {
        let digits = String(hash, radix: 16)
        return String(repeating: "0", count: 8 - digits.count) + digits
    }

    public func partition(of name: RegisterName) -> Int { partition(ofBytes: name.indexKey) }
    public func partition(of chunk: ChunkName) -> Int { partition(ofBytes: chunk.ringKey) }

    public func assignment(_ partition: Int) -> PartitionReplicas { partitions[partition] }
    public func assignment(of name: RegisterName) -> PartitionReplicas { partitions[partition(of: name)] }
    public func assignment(of chunk: ChunkName) -> PartitionReplicas { partitions[partition(of: chunk)] }

    /// The partitions for which the node is a current or next replica.
    public func partitions(of node: NodeName) -> [Int] {
        partitions.indices.filter { partitions[$0].current.contains(node) || partitions[$0].next.contains(node) }
    }

    /// Partition of a key that is already in bytes: `RegisterName.indexKey` or `ChunkName.ringKey`.
    public func partition(ofBytes key: [UInt8]) -> Int {
        // A shift by all 64 bits gives 0, as one partition needs.
        Int(truncatingIfNeeded: positions.position(key) >> shift)
    }
}

extension ChunkName {
    /// What is hashed to place a chunk: the bytes of the blob's id and the index, big endian.
    public var ringKey: [UInt8] {
        blob.bytes + (0..<4).map { UInt8(truncatingIfNeeded: index >> UInt32(24 - 8 * $0)) }
    }
}

extension Int {
    var isPowerOfTwo: Bool { self > 0 && self & (self - 1) == 0 }
}
