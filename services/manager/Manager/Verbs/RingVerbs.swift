import ClusterState
import Model
import Ring
import Wire

/// The ring and its consistency level.
enum RingVerbs {
    /// Makes the first ring of all attached storage nodes.
    static func start(_ call: VerbCall, _ edit: inout StateEdit) throws(VerbError) -> any Encodable & Sendable {
        let view = call.state.view
        guard view.ring == nil else { throw VerbError(.conflict, "Storage cluster already started") }
        guard let settings = view.settings else { throw VerbError(.unavailable, "the cluster has no settings") }
        try RingPlanVerbs.refuseOpenPlan(call.state, &edit)
        let attached = view.storageNodes.compactMap { view.members[$0] }.filter { $0.state == .attached }
        let needed = view.consistency.replicas
        guard attached.count >= needed else {
            let names = attached.isEmpty ? "" : " (\(attached.map(\.name).joined(separator: ", ")))"
            throw VerbError(
                .conflict,
                "Not satisfy conditions: \(needed) replicas need \(needed) attached storage nodes, "
                    + "there are \(attached.count)\(names)")
        }
        let table = try plan(attached, settings, view.consistency)
        edit.expectUnchanged(ClusterKeys.settings)
        edit.put(ClusterKeys.ring, RingRecord(table))
        for var member in attached {
            member.state = .running
            member.updatedMilliseconds = call.context.now
            edit.put(ClusterKeys.member(NodeName(member.name)), member)
        }
        return StartReport(ringHashCur: table.hashText, ringEpoch: table.epoch, nodes: attached.map(\.name))
    }

    private static func plan(
        _ members: [MemberRecord], _ settings: ClusterSettings, _ level: ConsistencyLevel
    ) throws(VerbError) -> RingTable {
        let nodes = members.map {
            RingNode(name: NodeName($0.name), zone: $0.zone, weight: max(1, $0.weight))
        }
        do {
            return try RingPlanner.assign(
                nodes: nodes, replicas: level.replicas, partitions: Int(settings.partitions), epoch: 1,
                hashKey: settings.hashKey)
        } catch {
            throw VerbError(.internalError, "no ring can be made: \(error)")
        }
    }

    /// W, R and D count at once. Another N counts from the next plan on: until it is carried out, partitions have as many
    /// replicas as before, and the level is that in sets of their size.
    static func updateConsistencyLevel(
        _ call: VerbCall, _ edit: inout StateEdit
    ) throws(VerbError) -> any Encodable & Sendable {
        guard var settings = call.state.view.settings else {
            throw VerbError(.unavailable, "the cluster has no settings")
        }
        // A plan proves partitions complete by the level that it began with.
        try RingPlanVerbs.refuseOpenPlan(call.state, &edit)
        let numbers = call.arguments.map { Int($0) ?? 0 }
        let replicas = numbers.count == 4 ? numbers[3] : Int(settings.replicas)
        guard (1...ConsistencyLevel.replicasMax).contains(replicas) else {
            throw VerbError(
                .invalidArgument, "N, the number of replicas, is a number from 1 to \(ConsistencyLevel.replicasMax)")
        }
        guard
            let level = ConsistencyLevel(
                replicas: replicas, write: numbers[0], read: numbers[1], delete: numbers[2])
        else {
            throw VerbError(.invalidArgument, "W, R and D are numbers from 1 to \(replicas), the number of replicas")
        }
        if let ring = call.state.view.ring {
            let nodes = RingGoal(call.state, ring).nodes.count
            guard nodes >= replicas else {
                throw VerbError(
                    .conflict, "Not satisfy conditions: \(replicas) replicas need \(replicas) nodes, there are \(nodes)"
                )
            }
        }
        settings.set(level)
        edit.put(ClusterKeys.settings, settings)
        return DoneReport()
    }
}
