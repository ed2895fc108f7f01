import ClusterState
import MessageBus
import Model
import Ring
import Wire

/// A store that knows less than the cluster: its state was restored from a backup.
extension RingLeader {
    private static let fetchTimeout = Duration.seconds(5)

    /// Returns whether steps may be taken from the ring in the store. When somebody works by a newer one, the store takes
    /// that over first.
    func confirmRing() async -> Bool {
        switch RingStanding(cluster.state, liveness()) {
        case .newest:
            if cluster.state.isRingUnconfirmed { await noteConfirmed() }
            return true
        case .unconfirmed: return false
        case .outdated(let member):
            // Perhaps only this manager has not heard yet what another one has stored.
            try? await cluster.refresh()
            guard RingStanding(cluster.state, liveness()) == .outdated(by: member) else { return false }
            await recover(from: member)
            return false
        }
    }

    private func noteConfirmed() async {
        do {
            try await cluster.change { [leadership] state, edit in
                guard state.isRingUnconfirmed else { return }
                try leadership.require(&edit)
                edit.delete(ManagerKeys.ringUnconfirmed)
            }
            logger.notice("storage nodes have confirmed the ring of the restored state")
        } catch { logger.warning("the ring is confirmed, which cannot be noted", metadata: ["error": "\(error)"]) }
    }

    private func recover(from member: NodeName) async {
        do {
            let reply = try await bus.request(
                .fetchState, FetchStateRequest(afterRevision: 0), to: member, timeout: Self.fetchTimeout,
                answer: FetchStateReply.self
            ).message
            let epoch = try await cluster.change { [leadership] state, edit in
                try leadership.require(&edit)
                return try Self.takeOver(reply, state, &edit, now: wallMilliseconds())
            }
            guard let epoch else { return }
            logger.warning(
                "the store had an older ring than the cluster works by: it takes over the newer one",
                metadata: ["from": "\(member)", "epoch": "\(epoch)"])
        } catch {
            logger.error(
                "a member works by a newer ring than the store has, which cannot be had",
                metadata: ["member": "\(member)", "error": "\(error)"])
            try? await Task.sleep(for: .seconds(1))
        }
    }

    /// The ring that the member has, its storage nodes that the store does not know, and the way back for partitions that
    /// move. Returns its epoch; nil: it is not newer.
    static func takeOver(
        _ reply: FetchStateReply, _ state: ManagerState, _ edit: inout StateEdit, now: Int64
    ) throws -> UInt64? {
        guard let settings = state.view.settings,
            let entry = reply.entries.first(where: { $0.key == ClusterKeys.ring && !$0.deleted })
        else { return nil }
        let table = try RingTable(RingRecord(decoding: entry.value), hashKey: settings.hashKey)
        guard table.epoch > state.view.epoch else { return nil }
        guard table.partitionCount == Int(settings.partitions) else {
            throw VerbError(.conflict, "its ring has \(table.partitionCount) partitions, not \(settings.partitions)")
        }
        edit.put(ClusterKeys.ring, RingRecord(table))
        for entry in reply.entries where entry.key.hasPrefix(ClusterKeys.memberPrefix) && !entry.deleted {
            guard let member = try? MemberRecord(decoding: entry.value), member.role == .storage,
                entry.key == ClusterKeys.member(member.nodeName), table.nodes.contains(member.nodeName),
                state.view.members[member.nodeName] == nil,
                state.entries[ManagerKeys.refusedKey(member.publicKey)] == nil
            else { continue }
            edit.put(entry.key, member)
        }
        let plan = RingPlan(id: (state.ringPlan?.id ?? 0) + 1, takingBack: table)
        if !plan.isOver || state.ringPlan?.plan?.isOver == false {
            edit.put(ManagerKeys.ringPlan, RingPlanRecord(plan, changes: ["found without its plan"], now: now))
        }
        return table.epoch
    }
}
