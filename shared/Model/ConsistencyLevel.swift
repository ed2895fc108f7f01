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
}
