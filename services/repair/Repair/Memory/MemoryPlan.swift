import Model
import Register
import Ring
import Wire

/// What a storage node tells of its memory.
struct NodeMemory: Sendable {
    var doubts: [Doubt]
    /// The highest ballot counter that it has promised up to, or knows to be in use.
    var ceiling: UInt64
    /// What it has purged.
    var floor = PurgeFloor.zero
}

/// A disk that has forgotten something.
struct ForgetfulDisk: Sendable, Hashable {
    var node: NodeName
    /// Id of the disk.
    var disk: String
}

/// How one disk gets its memory back: from which replicas. A pure value.
struct MemoryPlan: Sendable {
    enum Verdict: Sendable, Equatable {
        /// Partitions of the node by the replicas to be read: those that remember, and the node itself as the last.
        case possible([RepairGroup])
        case postponed(String)
    }

    let target: ForgetfulDisk
    let path: String
    /// Everything that this disk has forgotten, by loss.
    let doubts: [Doubt]
    let verdict: Verdict
    /// The others that may be believed.
    let remembering: Set<NodeName>

    /// Plans for all disks that have forgotten something. `memories`: of the nodes that answered.
    static func all(
        _ memories: [NodeName: NodeMemory], ring: RingTable, level: ConsistencyLevel
    ) -> [MemoryPlan] {
        memories.keys.sorted().flatMap { node in
            Dictionary(grouping: memories[node]?.doubts ?? [], by: \.disk).sorted { $0.key < $1.key }.map {
                disk, doubts in
                MemoryPlan(ForgetfulDisk(node: node, disk: disk), doubts, memories, ring, level)
            }
        }
    }

    private init(
        _ target: ForgetfulDisk, _ doubts: [Doubt], _ memories: [NodeName: NodeMemory], _ ring: RingTable,
        _ level: ConsistencyLevel
    ) {
        self.target = target
        self.doubts = doubts
        path = doubts.first?.path ?? ""
        remembering = Set(
            memories.keys.filter { node in
                node != target.node && !(memories[node]?.doubts ?? []).contains { $0.overlaps(doubts) }
            })
        if let silent = ring.nodes.first(where: { memories[$0] == nil }) {
            // It may accept something that was forgotten here: nobody can be sure before it is fenced.
            verdict = .postponed("\(silent) does not answer")
        } else {
            verdict = Self.verdict(target.node, remembering, ring, level)
        }
    }

    private static func verdict(
        _ target: NodeName, _ remembering: Set<NodeName>, _ ring: RingTable, _ level: ConsistencyLevel
    ) -> Verdict {
        var groups: [[NodeName]: [Int]] = [:]
        for partition in ring.partitions(of: target) {
            let assignment = ring.partitions[partition]
            let others = assignment.nodes.filter(remembering.contains)
            guard QuorumRule(healing: assignment.sets, level: level).isPrepareQuorum(Set(others)) else {
                return .postponed(
                    "partition \(partition): only \(others.count) other replicas remember what was written, too few to "
                        + "tell what was decided")
            }
            groups[others.sorted() + [target], default: []].append(partition)
        }
        return .possible(
            groups.map { RepairGroup(replicas: $0.key, partitions: $0.value) }
                .sorted { $0.partitions[0] < $1.partitions[0] })
    }

    /// Above everything that the disk can have promised or accepted. nil: nobody knows yet.
    var bound: UInt64? {
        let bounds = doubts.map(\.ceiling)
        return bounds.contains(0) ? nil : bounds.max()
    }

    /// No replica can be so far ahead of what all others know. Counters of writers grow by one, ceilings by 2^20; only
    /// healing makes larger steps, and has all nodes note them before.
    static let lead: UInt64 = 1 << 40

    /// A bound for a loss that was there when the nodes told their ceilings. nil: the counters are used up.
    static func newBound(_ memories: [NodeName: NodeMemory]) -> UInt64? {
        let highest = memories.values.map(\.ceiling).max() ?? 0
        let (bound, isTooLarge) = highest.addingReportingOverflow(lead)
        return isTooLarge || bound >= Ballot.counterMax ? nil : bound
    }

    /// Whether the same losses, and no others, are still what stands between this disk and its vote.
    func isStill(_ memories: [NodeName: NodeMemory]) -> Bool {
        func losses(_ doubts: [Doubt]) -> Set<[UInt8]> {
            Set(doubts.map { doubt in doubt.slots + withUnsafeBytes(of: doubt.position.bigEndian, Array.init) })
        }
        guard let now = memories[target.node] else { return false }
        return losses(now.doubts.filter { $0.disk == target.disk }) == losses(doubts)
            && remembering.allSatisfy { node in
                memories[node].map { memory in !memory.doubts.contains { $0.overlaps(doubts) } } ?? false
            }
    }
}

extension Doubt {
    /// Whether some slot is in both.
    fileprivate func overlaps(_ others: [Doubt]) -> Bool {
        others.contains { other in zip(slots, other.slots).contains { $0 & $1 != 0 } }
    }
}
