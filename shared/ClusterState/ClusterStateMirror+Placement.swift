import MessageBus
import Model
import Wire

/// Where keys live, told from process to process while no manager answers.
///
/// The last step of a ring change may have reached some processes and not others when the managers went away. Whoever
/// works by it refuses those who do not: they get it from a storage node. Users and buckets come from managers alone.
extension ClusterStateMirror {
    /// Peers that are asked at a time: those who follow the managers have all heard nearly the same.
    static let peersMax = 8

    /// The answer to a peer that asks for the state.
    public func placement(for request: FetchStateRequest) -> FetchStateReply {
        state.withLock { $0.entries }.placement(after: request.afterRevision)
    }

    /// Asks some storage nodes for a newer placement. Whoever does not answer is left out.
    func askPeers(over bus: any ClusterBus) async {
        let known = state.withLock { $0.entries }.placementRevision
        let peers = view.storageNodes.filter { !view.absentNodes.contains($0) }.shuffled().prefix(Self.peersMax)
        await withTaskGroup(of: FetchStateReply?.self) { group in
            for peer in peers {
                group.addTask {
                    try? await bus.request(
                        .fetchState, FetchStateRequest(afterRevision: known), to: peer, timeout: Self.fetchTimeout,
                        answer: FetchStateReply.self
                    ).message
                }
            }
            for await reply in group { if let reply { await adopt(reply) } }
        }
    }

    private func adopt(_ reply: FetchStateReply) async {
        var entries = state.withLock { $0.entries }
        let changes = entries.adopt(reply)
        guard !changes.isEmpty else { return }
        logger.notice(
            "a storage node knew a newer placement than this process",
            metadata: ["entries": "\(changes.map(\.key).sorted())"])
        // Kept before it is shown, as what managers say.
        await keep(entries)
        publish(entries, changes)
    }
}
