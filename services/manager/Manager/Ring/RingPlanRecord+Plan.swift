import ClusterState
import Model
import Ring
import Wire

extension ManagerKeys {
    static let ringPlan = "plans/ring"
    static let takeoverPrefix = "plans/takeover/"
    /// There after the state was restored from a backup, until storage nodes have said that its ring is the newest.
    static let ringUnconfirmed = "plans/ring-unconfirmed"

    /// Who takes over what a node holds, by the next plan.
    static func takeover(of node: NodeName) -> String { takeoverPrefix + node.rawValue }
}

extension ManagerState {
    /// The last plan to change the ring, whether it is over or not.
    var ringPlan: RingPlanRecord? {
        entries[ManagerKeys.ringPlan].flatMap { try? RingPlanRecord(decoding: $0.value) }
    }

    /// The ring may be older than the one that storage nodes work by.
    var isRingUnconfirmed: Bool { entries[ManagerKeys.ringUnconfirmed] != nil }

    /// Nodes that are to go, each with the one that takes over.
    var takeovers: [NodeName: NodeName] {
        Dictionary(
            uniqueKeysWithValues: entries.filter { $0.key.hasPrefix(ManagerKeys.takeoverPrefix) }.map { key, entry in
                (
                    NodeName(String(key.dropFirst(ManagerKeys.takeoverPrefix.count))),
                    NodeName(String(decoding: entry.value, as: UTF8.self))
                )
            })
    }
}

extension RingPlanRecord {
    init(_ plan: RingPlan, changes: [String], now: Int64) {
        self.init(id: plan.id, changes: changes, startedMilliseconds: now)
        set(plan, now: now)
    }

    /// Takes over how far the plan has come.
    mutating func set(_ plan: RingPlan, now: Int64) {
        let names = Set(plan.open.values.joined()).sorted()
        let numbers = Dictionary(uniqueKeysWithValues: names.enumerated().map { ($1, UInt32($0)) })
        phase = plan.phase.rawValue
        nodes = names.map(\.rawValue)
        open = plan.open.sorted { $0.key < $1.key }.map { partition, wanted in
            PlannedPartition(partition: UInt32(partition), wanted: wanted.compactMap { numbers[$0] })
        }
        partitionsTotal = UInt32(plan.partitionsTotal)
        movesTotal = UInt32(plan.movesTotal)
        if plan.isOver { finishedMilliseconds = now }
    }

    /// nil: no plan that this version understands.
    var plan: RingPlan? {
        guard let phase = RingPlan.Phase(rawValue: phase) else { return nil }
        var wanted: [Int: [NodeName]] = [:]
        for item in open {
            guard item.wanted.allSatisfy({ nodes.indices.contains(Int($0)) }) else { return nil }
            wanted[Int(item.partition)] = item.wanted.map { NodeName(nodes[Int($0)]) }
        }
        return RingPlan(
            id: id, phase: phase, open: wanted, partitionsTotal: Int(partitionsTotal), movesTotal: Int(movesTotal))
    }
}
