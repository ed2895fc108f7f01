import Model
import Register

/// What replicas of one key have said of their tombstones: one is purged, once, when all of them hold it.
struct TombstoneProof {
    private let rule: QuorumRule
    /// A planted mistake: a write quorum is enough.
    private let needsAll: Bool
    private var held: [NodeName: Ballot] = [:]
    private var isOver = false

    init(_ rule: QuorumRule, needsAll: Bool) {
        self.rule = rule
        self.needsAll = needsAll
    }

    /// Whether the tombstone is to be purged now.
    mutating func add(_ tag: Ballot, of node: NodeName) -> Bool {
        guard !isOver else { return false }
        held[node] = tag
        let holders = Set(held.filter { $0.value == tag }.keys)
        isOver = holders.count == rule.members.count || !needsAll && rule.isWriteQuorum(holders)
        return isOver
    }
}
