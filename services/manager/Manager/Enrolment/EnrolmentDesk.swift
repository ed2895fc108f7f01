import Checksums
import ClusterState
import Model
import Wire

/// Who may become a member, and what a member gets.
enum EnrolmentDesk {
    private static let roles: [MemberRole] = [.gateway, .storage, .replicator, .repair]

    /// A request on the enrolment socket: whoever sent it must prove that it holds a token.
    static func enrol(
        _ request: EnrolRequest, _ state: ManagerState, _ edit: inout StateEdit, _ context: VerbContext
    ) throws(VerbError) -> EnrolReply {
        try refuseRemoved(request, state, &edit)
        var token = try verifiedToken(request, state, context)
        guard NodeName(request.name).isValid, roles.contains(request.role), request.publicKey.count == 32 else {
            throw VerbError(.invalidArgument, "a name, a role and a key of 32 bytes are needed to enrol")
        }
        guard token.name == nil || token.name == request.name else {
            throw VerbError(.forbidden, "the join token is for another name")
        }
        let claim = "\(request.name) \(hexDigits(of: request.publicKey))"
        if token.oneTime {
            guard token.usedBy == nil || token.usedBy == claim else {
                throw VerbError(.forbidden, "the join token was used before")
            }
            token.usedBy = claim
            edit.put(ManagerKeys.token(token.id), bytes: token.encoded())
        }
        let member = try admit(request, mayReplace: token.mayReplace, state, &edit, context)
        return reply(to: member, state, context)
    }

    /// A member says where it is reachable now. The bus has authenticated it.
    static func announce(
        _ request: EnrolRequest, from sender: NodeName, _ state: ManagerState, _ edit: inout StateEdit,
        _ context: VerbContext
    ) throws(VerbError) -> EnrolReply {
        guard request.name == sender.rawValue, var member = state.view.members[sender], member.role == request.role
        else { throw VerbError(.forbidden, "a member announces itself only") }
        let before = member
        update(&member, from: request)
        if member != before { edit.put(ClusterKeys.member(sender), member) }
        return reply(to: member, state, context)
    }

    /// Comes before the question for a token: a process that was removed has none, and asks why nobody answers it.
    private static func refuseRemoved(
        _ request: EnrolRequest, _ state: ManagerState, _ edit: inout StateEdit
    ) throws(VerbError) {
        guard request.publicKey.count == 32 else { return }
        let refused = ManagerKeys.refusedKey(request.publicKey)
        guard state.entries[refused] == nil else {
            throw VerbError(.forbidden, "this key was removed from the cluster: start with an empty folder (node.data)")
        }
        edit.expectUnchanged(refused)
    }

    private static func verifiedToken(
        _ request: EnrolRequest, _ state: ManagerState, _ context: VerbContext
    ) throws(VerbError) -> TokenRecord {
        let refusal = VerbError(.forbidden, "the join token is not valid")
        let record = state.entries[ManagerKeys.token(request.tokenId)].flatMap { try? TokenRecord(decoding: $0.value) }
        // An unknown token costs the same as a wrong proof.
        let secret =
            record.flatMap { try? context.masterKey.unseal($0.sealedSecret) } ?? [UInt8](repeating: 0, count: 32)
        let proof = JoinToken.proof(
            secret: secret, name: request.name, role: request.role, publicKey: request.publicKey)
        guard constantTimeEqual(proof, request.tokenProof), let record else { throw refusal }
        guard record.expiresMilliseconds >= context.now else {
            throw VerbError(.forbidden, "the join token has expired: make one with martlet-adm create-token")
        }
        return record
    }

    private static func admit(
        _ request: EnrolRequest, mayReplace: Bool, _ state: ManagerState, _ edit: inout StateEdit,
        _ context: VerbContext
    ) throws(VerbError) -> MemberRecord {
        let name = NodeName(request.name)
        if let owner = state.view.member(publicKey: request.publicKey), owner.name != request.name {
            throw VerbError(.conflict, "this key is enrolled as \(owner.name)")
        }
        if var known = state.view.members[name] {
            guard known.role == request.role else { throw VerbError(.conflict, "\(name) is enrolled as \(known.role)") }
            guard known.publicKey == request.publicKey || mayReplace else {
                throw VerbError(
                    .conflict,
                    "\(name) is enrolled with another key; to replace it: martlet-adm create-token --replace \(name)")
            }
            // Replicas that have lost their memory would vote as if they had never promised or accepted anything.
            guard known.publicKey == request.publicKey || state.view.ring?.nodes.contains(name) != true else {
                throw VerbError(
                    .conflict,
                    "\(name) holds replicas of the ring: its key cannot be replaced, enrol the new node under another name"
                )
            }
            // A new key stands for a new process: it must not repeat ballots of the old one.
            if known.publicKey != request.publicKey { known.writer = try nextWriter(state, &edit) }
            known.publicKey = request.publicKey
            update(&known, from: request)
            edit.put(ClusterKeys.member(name), known)
            return known
        }
        var member = MemberRecord(
            name: request.name, role: request.role, publicKey: request.publicKey,
            // Not running before it was heard.
            state: request.role == .storage ? .attached : .stopped, updatedMilliseconds: context.now,
            writer: try nextWriter(state, &edit), weight: 1)
        update(&member, from: request)
        edit.put(ClusterKeys.member(name), member)
        return member
    }

    private static func update(_ member: inout MemberRecord, from request: EnrolRequest) {
        if !request.address.isEmpty { member.address = request.address }
        if !request.publisher.isEmpty { member.publisher = request.publisher }
        if !request.version.isEmpty { member.version = request.version }
        member.zone = request.zone
    }

    static func nextWriter(_ state: ManagerState, _ edit: inout StateEdit) throws(VerbError) -> UInt64 {
        let last = state.entries[ManagerKeys.lastWriter].map { String(decoding: $0.value, as: UTF8.self) } ?? "0"
        guard let number = UInt64(last), number < .max else {
            throw VerbError(.internalError, "the counter of writers is damaged")
        }
        edit.put(ManagerKeys.lastWriter, bytes: Array("\(number + 1)".utf8))
        return number + 1
    }

    private static func reply(
        to member: MemberRecord, _ state: ManagerState, _ context: VerbContext
    ) -> EnrolReply {
        EnrolReply(
            clusterId: state.view.settings?.clusterId ?? "", writer: member.writer,
            masterKey: member.role == .gateway ? context.masterKey.bytes : [],
            managerName: context.managerName.rawValue)
    }
}
