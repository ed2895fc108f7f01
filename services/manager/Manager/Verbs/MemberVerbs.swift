import ClusterState
import Model
import Ring
import Wire

/// Planned maintenance of a storage node, and the end of a member.
enum MemberVerbs {
    /// The operator is about to take a node down for a while: readers ask others first, and its silence alarms nobody.
    static func suspend(_ call: VerbCall, _ edit: inout StateEdit) throws(VerbError) -> any Encodable & Sendable {
        var member = try storageNode(call)
        guard member.state == .running || member.state == .stopped else {
            throw VerbError(
                .conflict, "\(member.name) is \(member.state.word): only a running or stopped node is suspended")
        }
        switch call.argument(1) {
        case "": try refuseLossOfQuorum(without: member.nodeName, call.state.view)
        case "force": break
        case let word: throw VerbError(.invalidArgument, "not understood: \(word)")
        }
        set(&member, .suspended, call, &edit)
        return DoneReport()
    }

    /// Ends `suspend`, or takes a node back into service that restarted while its removal was planned.
    static func resume(_ call: VerbCall, _ edit: inout StateEdit) throws(VerbError) -> any Encodable & Sendable {
        var member = try storageNode(call)
        guard member.state == .suspended || member.state == .restarted else {
            throw VerbError(
                .conflict, "\(member.name) is \(member.state.word): only a suspended or restarted node is resumed")
        }
        let isAlive = call.context.liveness[member.nodeName]?.isAlive ?? false
        let isInRing = call.state.view.ring?.nodes.contains(member.nodeName) ?? false
        set(&member, isAlive ? (isInRing ? .running : .attached) : .stopped, call, &edit)
        return DoneReport()
    }

    /// A member that will not come back: its key is refused from now on.
    static func remove(_ call: VerbCall, _ edit: inout StateEdit) throws(VerbError) -> any Encodable & Sendable {
        try MemberRemoval.remove(try member(call), call, &edit)
        return DoneReport()
    }

    /// LeoFS's name, for gateways alone.
    static func removeGateway(
        _ call: VerbCall, _ edit: inout StateEdit
    ) throws(VerbError) -> any Encodable & Sendable {
        let member = try member(call)
        guard member.role == .gateway else { throw VerbError(.conflict, "\(member.name) is no gateway") }
        try MemberRemoval.remove(member, call, &edit)
        return DoneReport()
    }

    // MARK: - Rules

    /// While the node is down, every partition needs a write quorum of others that run.
    private static func refuseLossOfQuorum(without node: NodeName, _ view: ClusterView) throws(VerbError) {
        guard let ring = view.ring else { return }
        let running = Set(view.members.filter { $0.value.state == .running }.keys).subtracting([node])
        let lost = ring.partitions(of: node).count { partition in
            ring.assignment(partition).sets.contains { set in
                set.count(where: running.contains) < view.consistency.inSet(of: set.count).write
            }
        }
        guard lost == 0 else {
            throw VerbError(
                .conflict,
                "Not satisfy conditions: without \(node), \(lost) of \(ring.partitionCount) partitions would have no write "
                    + "quorum; --force suspends it all the same")
        }
    }

    private static func set(
        _ member: inout MemberRecord, _ state: MemberState, _ call: VerbCall, _ edit: inout StateEdit
    ) {
        member.state = state
        member.updatedMilliseconds = call.context.now
        edit.put(ClusterKeys.member(member.nodeName), member)
    }

    private static func member(_ call: VerbCall) throws(VerbError) -> MemberRecord {
        guard let member = call.state.view.members[NodeName(call.argument(0))] else {
            throw VerbError(.notFound, "Node not exist")
        }
        return member
    }

    private static func storageNode(_ call: VerbCall) throws(VerbError) -> MemberRecord {
        let member = try member(call)
        guard member.role == .storage else { throw VerbError(.conflict, "\(member.name) is no storage node") }
        return member
    }
}
