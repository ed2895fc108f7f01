import ClusterState
import Model
import Ring
import Wire

/// Announced changes of the ring, and the plan that carries them out.
enum RingPlanVerbs {
    // MARK: - Announcing

    /// The next plan takes the node out of the ring.
    static func detach(_ call: VerbCall, _ edit: inout StateEdit) throws(VerbError) -> any Encodable & Sendable {
        try announceRemoval(of: try ringNode(call, 0), call, &edit)
        return DoneReport()
    }

    /// The next plan gives another node exactly what this one holds.
    static func takeover(_ call: VerbCall, _ edit: inout StateEdit) throws(VerbError) -> any Encodable & Sendable {
        let old = try ringNode(call, 0)
        var new = try storageNode(call, 1)
        guard call.state.view.ring?.nodes.contains(new.nodeName) != true, new.state == .attached else {
            throw VerbError(.conflict, "\(new.name) is \(new.state.word): only an attached node takes over")
        }
        guard !call.state.takeovers.values.contains(new.nodeName) else {
            throw VerbError(.conflict, "\(new.name) takes over another node already")
        }
        new.weight = old.weight
        new.zone = old.zone
        new.updatedMilliseconds = call.context.now
        edit.put(ClusterKeys.member(new.nodeName), new)
        edit.put(ManagerKeys.takeover(of: old.nodeName), bytes: Array(new.name.utf8))
        try announceRemoval(of: old, call, &edit)
        return DoneReport()
    }

    /// Takes back what was announced for a node.
    static func rollback(_ call: VerbCall, _ edit: inout StateEdit) throws(VerbError) -> any Encodable & Sendable {
        var member = try ringNode(call, 0)
        try refuseOpenPlan(call.state, &edit)
        guard member.state == .detached || member.state == .restarted else {
            throw VerbError(.conflict, "\(member.name) is \(member.state.word): nothing was announced for it")
        }
        member.state = call.context.liveness[member.nodeName]?.isAlive == true ? .running : .stopped
        member.updatedMilliseconds = call.context.now
        edit.put(ClusterKeys.member(member.nodeName), member)
        if call.state.takeovers[member.nodeName] != nil { edit.delete(ManagerKeys.takeover(of: member.nodeName)) }
        return DoneReport()
    }

    /// The share of a node, from the next plan on.
    static func weight(_ call: VerbCall, _ edit: inout StateEdit) throws(VerbError) -> any Encodable & Sendable {
        var member = try storageNode(call, 0)
        guard let weight = UInt64(call.argument(1)), (1...1 << 50).contains(weight) else {
            throw VerbError(.invalidArgument, "a weight is a whole number above 0, in the same unit for all nodes")
        }
        member.weight = weight
        edit.put(ClusterKeys.member(member.nodeName), member)
        return DoneReport()
    }

    /// The zone of a node, from the next plan on.
    static func zone(_ call: VerbCall, _ edit: inout StateEdit) throws(VerbError) -> any Encodable & Sendable {
        var member = try storageNode(call, 0)
        member.zone = call.argument(1)
        edit.put(ClusterKeys.member(member.nodeName), member)
        return DoneReport()
    }

    private static func announceRemoval(
        of member: MemberRecord, _ call: VerbCall, _ edit: inout StateEdit
    ) throws(VerbError) {
        try refuseOpenPlan(call.state, &edit)
        guard member.state != .detached else {
            throw VerbError(.conflict, "\(member.name) is detached already: rebalance carries it out")
        }
        var member = member
        member.state = .detached
        member.updatedMilliseconds = call.context.now
        edit.put(ClusterKeys.member(member.nodeName), member)
    }

    // MARK: - The plan

    /// Carries out what was announced, and takes in attached nodes. With `dry-run` only says what would move.
    static func rebalance(_ call: VerbCall, _ edit: inout StateEdit) throws(VerbError) -> any Encodable & Sendable {
        guard ["", "dry-run"].contains(call.argument(0)) else {
            throw VerbError(.invalidArgument, "not understood: \(call.argument(0))")
        }
        let (goal, plan, ring) = try proposal(call, &edit)
        let record = RingPlanRecord(plan, changes: goal.changes, now: call.context.now)
        let report = RebalanceReport(record, plan, ring)
        guard call.argument(0).isEmpty, !plan.isOver else { return report }
        store(record, call.state, &edit)
        return report
    }

    /// What a rebalance would do now.
    static func proposal(
        _ call: VerbCall, _ edit: inout StateEdit
    ) throws(VerbError) -> (RingGoal, RingPlan, RingTable) {
        guard let ring = call.state.view.ring else { throw VerbError(.conflict, "the cluster has no ring yet: start") }
        try refuseOpenPlan(call.state, &edit)
        let goal = RingGoal(call.state, ring)
        return (goal, try goal.plan(call.state, ring), ring)
    }

    /// The plan is carried out from now on, if nothing has changed that it was made from.
    static func store(_ record: RingPlanRecord, _ state: ManagerState, _ edit: inout StateEdit) {
        edit.expectUnchanged(ClusterKeys.settings)
        edit.expectUnchanged(ClusterKeys.ring)
        edit.put(ManagerKeys.ringPlan, record)
        for old in state.takeovers.keys { edit.delete(ManagerKeys.takeover(of: old)) }
    }

    static func pause(_ call: VerbCall, _ edit: inout StateEdit) throws(VerbError) -> any Encodable & Sendable {
        try change(call, &edit) { plan, _ in plan.pause() }
    }

    static func resume(_ call: VerbCall, _ edit: inout StateEdit) throws(VerbError) -> any Encodable & Sendable {
        try change(call, &edit) { plan, _ in plan.resume() }
    }

    /// Takes back what is not finished.
    static func takeBack(_ call: VerbCall, _ edit: inout StateEdit) throws(VerbError) -> any Encodable & Sendable {
        try change(call, &edit) { plan, ring in plan.rollBack(ring) }
    }

    private static func change(
        _ call: VerbCall, _ edit: inout StateEdit, _ body: (inout RingPlan, RingTable) -> Void
    ) throws(VerbError) -> any Encodable & Sendable {
        guard var record = call.state.ringPlan, var plan = record.plan, let ring = call.state.view.ring, !plan.isOver
        else { throw VerbError(.conflict, "no plan is under way") }
        body(&plan, ring)
        record.set(plan, now: call.context.now)
        edit.expectUnchanged(ClusterKeys.ring)
        edit.put(ManagerKeys.ringPlan, record)
        return RebalanceReport(record, plan, ring)
    }

    /// What a plan is made from must not change before it is over; nor is anything planned from a ring that may be an old
    /// one.
    static func refuseOpenPlan(_ state: ManagerState, _ edit: inout StateEdit) throws(VerbError) {
        edit.expectUnchanged(ManagerKeys.ringPlan)
        edit.expectUnchanged(ManagerKeys.ringUnconfirmed)
        guard !state.isRingUnconfirmed else {
            throw VerbError(
                .conflict, "the state was restored: storage nodes have to confirm its ring first, see cluster health")
        }
        if let plan = state.ringPlan?.plan, !plan.isOver {
            throw VerbError(.conflict, "plan \(plan.id) is \(plan.phase.rawValue): see rebalance-status")
        }
    }

    // MARK: - Members

    private static func storageNode(_ call: VerbCall, _ index: Int) throws(VerbError) -> MemberRecord {
        guard let member = call.state.view.members[NodeName(call.argument(index))] else {
            throw VerbError(.notFound, "Node not exist")
        }
        guard member.role == .storage else { throw VerbError(.conflict, "\(member.name) is no storage node") }
        return member
    }

    private static func ringNode(_ call: VerbCall, _ index: Int) throws(VerbError) -> MemberRecord {
        let member = try storageNode(call, index)
        guard call.state.view.ring?.nodes.contains(member.nodeName) == true else {
            throw VerbError(.conflict, "\(member.name) holds no part of the ring")
        }
        return member
    }
}
