/// Number of replicas and how many must answer: LeoFS's n, w, r, d.
public struct ConsistencyLevel: Hashable, Sendable {
    /// Replicas of each register and chunk, 1 to 7.
    public var replicas: Int
    /// Durable acknowledgements before a write succeeds.
    public var write: Int
    /// Replicas that must answer a read.
    public var read: Int
    /// Durable acknowledgements before a delete succeeds.
    public var delete: Int

    public static let replicasMax = 7

    /// nil unless 1 ≤ w, r, d ≤ n ≤ 7.
    public init?(replicas: Int, write: Int, read: Int, delete: Int) {
        guard (1...Self.replicasMax).contains(replicas),
            [write, read, delete].allSatisfy({ (1...replicas).contains($0) })
        else { return nil }
        self.replicas = replicas
        self.write = write
        self.read = read
        self.delete = delete
    }

    /// Majorities: each key is linearizable.
    public static func majority(of replicas: Int) -> ConsistencyLevel {
        let half = replicas / 2 + 1
        return ConsistencyLevel(replicas: replicas, write: half, read: half, delete: half)!
    }

    public var majority: Int { replicas / 2 + 1 }

    /// Whether reads and writes of each key are linearizable: all quorums are majorities.
    public var isLinearizable: Bool { min(write, read, delete) >= majority }

    /// The same for a set of another size, as partitions have while the number of replicas changes: a majority stays the
    /// smallest one, what is above it may miss as many replicas as before, what is below it is cut to the size.
    public func inSet(of size: Int) -> ConsistencyLevel {
        if size == replicas { return self }
        func scaled(_ count: Int) -> Int {
            if count < majority { return min(count, size) }
            return count == majority ? size / 2 + 1 : max(size / 2 + 1, size - (replicas - count))
        }
        var level = self
        (level.replicas, level.write, level.read, level.delete) = (size, scaled(write), scaled(read), scaled(delete))
        return level
    }

    /// So many replicas that one of them is in every set that can have decided a write or a delete, or have shown a state
    /// to a reader. Reads below a majority promise nothing, and do not count.
    public var meetingEveryQuorum: Int {
        replicas - min(write, delete, read >= majority ? read : replicas) + 1
    }
}
