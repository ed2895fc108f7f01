import ClusterState
import Model
import Wire

/// The end of a member. Its key never enrols again: what its disks hold is old, and must not come back as if it were
/// known. The machine may, with an empty folder and so with a new key.
enum MemberRemoval {
    /// Refuses what is in the ring, and what may still run.
    static func remove(_ member: MemberRecord, _ call: VerbCall, _ edit: inout StateEdit) throws(VerbError) {
        let name = member.nodeName
        switch member.role {
        case .gateway, .replicator, .repair, .storage, .manager: break
        default: throw VerbError(.conflict, "\(name) cannot be removed")
        }
        guard call.state.view.ring?.nodes.contains(name) != true else {
            throw VerbError(.conflict, "\(name) holds replicas of the ring: detach it first")
        }
        guard member.state == .stopped, call.context.liveness[name]?.isAlive != true else {
            throw VerbError(.conflict, "\(name) is \(member.state.word): stop it first")
        }
        forget(member, &edit)
    }

    /// Without questions: for a node that a ring change has emptied.
    static func forget(_ member: MemberRecord, _ edit: inout StateEdit) {
        edit.delete(ClusterKeys.member(member.nodeName))
        edit.put(ManagerKeys.refusedKey(member.publicKey), bytes: Array(member.name.utf8))
    }
}
