import ClusterState
import Model
import Ring
import Wire

/// Others get the replicas of nodes that stay dead.
extension RingLeader {
    private static let pauseAfterFailure = Duration.seconds(5)

    /// Makes one plan without all nodes that have been dead for too long.
    func takeOutDeadNodes() async {
        let liveness = liveness()
        func dead(_ view: ClusterView) -> [NodeName] {
            DeadNodes(view, liveness, wait: deadNodeWait, now: wallMilliseconds()).due
        }
        guard !dead(cluster.view).isEmpty else { return }
        do {
            let taken = try await cluster.change { [leadership, deadNodeWait] state, edit in
                try leadership.require(&edit)
                return try Self.takeOut(
                    DeadNodes(state.view, liveness, wait: deadNodeWait, now: wallMilliseconds()).due, state, &edit,
                    now: wallMilliseconds())
            }
            guard !taken.isEmpty else { return }
            deadNodesTakenOut.increment(by: taken.count)
            logger.warning(
                "nodes stay dead: a plan gives others their replicas",
                metadata: ["nodes": "\(taken.map(\.rawValue).joined(separator: ", "))"])
        } catch {
            logger.error("dead nodes cannot be taken out of the ring", metadata: ["error": "\(error)"])
            try? await Task.sleep(for: Self.pauseAfterFailure)
        }
    }

    /// The plan, and the nodes as detached: when it is over they are no members any more. Returns who is taken out.
    static func takeOut(
        _ dead: [NodeName], _ state: ManagerState, _ edit: inout StateEdit, now: Int64
    ) throws(VerbError) -> [NodeName] {
        guard !dead.isEmpty, let ring = state.view.ring else { return [] }
        try RingPlanVerbs.refuseOpenPlan(state, &edit)
        let goal = RingGoal(state, ring, without: Set(dead))
        let plan = try goal.plan(state, ring)
        for name in dead {
            guard var member = state.view.members[name] else { continue }
            member.state = .detached
            member.updatedMilliseconds = now
            edit.put(ClusterKeys.member(name), member)
        }
        RingPlanVerbs.store(RingPlanRecord(plan, changes: goal.changes, now: now), state, &edit)
        return dead
    }
}
